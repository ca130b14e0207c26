# The image holds one static binary and an empty /data, nothing else: no shell, no libraries, no root.
#
#   docker build -t answerback .
#   docker run -p 127.0.0.1:7070:7070 -p 8080:8080 -v answerback:/data answerback
#   docker logs CONTAINER         # the API's token, printed once
#   docker exec CONTAINER /answerback backup /data/backup.db
#
# 7070 is the control plane. The ports of endpoints are chosen while it runs, so no EXPOSE can name
# them: publish those you will open (`-p 8080:8080`, `-p 9000-9099:9000-9099`), or use `--network host`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# SQLite comes along as C; this image has the compiler for it (gcc, libc6-dev).
#
# A static glibc binary runs on an empty file system. It needs `--target`: without one the flags
# would also apply to procedural macros, which cannot be static. Random bytes come from the system
# call: a static binary would not find it and read /dev/urandom, which an empty file system has not.
# Panics keep their function names; the rest of the debug information would be most of the image.
ENV RUSTFLAGS="-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"" \
    CARGO_PROFILE_RELEASE_STRIP=debuginfo

# The dependencies alone, around an empty program: this layer is rebuilt only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo '//! Empty.' | tee src/lib.rs src/main.rs && echo 'fn main() {}' >>src/main.rs \
    && cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu" \
    && rm -r src

# The program. COPY keeps the files' times, which may be older than the empty program's build:
# without `touch` cargo would take that for this one.
COPY . .
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu" \
    && install -D "target/$(uname -m)-unknown-linux-gnu/release/answerback" /out/bin/answerback \
    && install -d -m 0700 /out/state/data

FROM scratch

ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="answerback" \
      org.opencontainers.image.description="Open any TCP port with one HTTP request, see every client that connects and every byte it sends, answer it the way you choose." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="the answerback contributors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The binary belongs to root, so that the process cannot change it; /data belongs to the process.
COPY --from=build /out/bin/ /
COPY --from=build --chown=65532:65532 /out/state/ /

# Inside a container loopback is out of reach of `-p`, so the API listens on every address there;
# off loopback it asks for a token. Records are in the volume.
ENV ANSWERBACK_LISTEN=0.0.0.0:7070 \
    ANSWERBACK_DATA_DIR=/data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 7070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/answerback", "health"]
ENTRYPOINT ["/answerback"]
CMD ["serve"]
