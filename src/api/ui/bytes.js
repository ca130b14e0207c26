// Bytes: out of base64, as hex, as source code, and which of them are no text.

/** The bytes of a base64 text. */
export function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let n = 0; n < raw.length; n += 1) bytes[n] = raw.charCodeAt(n);
  return bytes;
}

/** As base64. Piece by piece: a call takes only so many arguments. */
export function toBase64(bytes) {
  let raw = "";
  for (let n = 0; n < bytes.length; n += 8192) raw += String.fromCharCode(...bytes.subarray(n, n + 8192));
  return btoa(raw);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Two digits. */
export const hexOf = (byte) => HEX[byte];

/** As pairs of digits with blanks between, which is how the API takes them. */
export function toHex(bytes) {
  return Array.from(bytes, hexOf).join(" ");
}

/** An array in C. */
export function toC(bytes) {
  const lines = [];
  for (let n = 0; n < bytes.length; n += 12) {
    lines.push(`    ${Array.from(bytes.subarray(n, n + 12), (byte) => `0x${HEX[byte]}`).join(", ")},`);
  }
  return `static const unsigned char data[${bytes.length}] = {\n${lines.join("\n")}\n};\n`;
}

const ESCAPES = { 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };

/** A literal in Python. */
export function toPython(bytes) {
  const written = (byte) => ESCAPES[byte] ?? (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${HEX[byte]}`);
  return `b"${Array.from(bytes, written).join("")}"`;
}

/** The ways in which bytes can be copied. Only as text do they need to be read. */
export const FORMATS = [
  ["text", null],
  ["hex", toHex],
  ["base64", toBase64],
  ["C array", toC],
  ["Python bytes", toPython],
];

/** The character of the gutter beside hex. */
export const printable = (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·");

/**
 * Which bytes are no text in this encoding: one flag a byte. They are fed to a decoder one by one, and when it gives up
 * (U+FFFD), those that it was holding are the culprits. Null where the browser does not know the encoding.
 */
export function malformed(bytes, encoding) {
  let decoder;
  try {
    decoder = new TextDecoder(encoding, { ignoreBOM: true });
  } catch {
    return null;
  }
  const flags = new Uint8Array(bytes.length);
  let begin = 0;
  for (let n = 0; n < bytes.length; n += 1) {
    const out = decoder.decode(bytes.subarray(n, n + 1), { stream: true });
    if (out === "") continue;
    // A byte that ends a broken sequence and stands for itself is text again.
    const whole = out.length > 1 && !out.endsWith("\ufffd");
    if (out.includes("\ufffd") && !isReplacement(bytes, begin, n)) flags.fill(1, begin, whole ? n : n + 1);
    begin = n + 1;
  }
  if (decoder.decode().includes("\ufffd")) flags.fill(1, begin);
  return flags;
}

/** U+FFFD itself, well written in UTF-8. */
const isReplacement = (bytes, begin, end) =>
  end - begin === 2 && bytes[begin] === 0xef && bytes[begin + 1] === 0xbf && bytes[end] === 0xbd;
