#!/bin/sh
# A test in a shell: `curl -f` fails when an expectation is not met. It needs curl and nc, and a running service:
#
#   answerback serve --journal memory &
#   ./orders.sh
set -eu
api=${ANSWERBACK_URL:-http://127.0.0.1:7070}
json='Content-Type: application/json'

port=$(curl -sf -X PUT "$api/listeners/orders" -H "$json" \
  -d '{"port":0,"host":"127.0.0.1","encoding":"utf-8","reply":"ACCEPTED\n"}' |
  sed 's/.*"port":\([0-9]*\).*/\1/')
trap 'curl -sf -X DELETE "$api/listeners/orders"' EXIT

# The code under test.
answer=$(echo 'ORDER 4711' | nc -N 127.0.0.1 "$port")
[ "$answer" = ACCEPTED ]

curl -sf -o /dev/null -X POST "$api/expect" -H "$json" \
  -d '{"listener":"orders","match":{"equals":"ORDER 4711\n"}}'
# The same, with what came nearest where it is not met.
answerback expect --listener orders --starts-with 'ORDER ' --exactly 1 --within 100ms
echo passed
