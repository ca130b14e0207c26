// The page in a real browser. `tests/it/ui.rs` runs this: node main.mjs ANSWERBACK CHROMIUM TOOLS PICTURES
//
// ANSWERBACK is the binary, TOOLS the folder in which playwright-core and axe-core are installed, PICTURES where
// screenshots are left for somebody to look at.

import { begin } from "./support.mjs";

const [answerback, chromium, tools, pictures] = process.argv.slice(2);
begin({ answerback, chromium, tools, pictures });

await import("./parts.mjs");
await import("./page.mjs");
await import("./hostile.mjs");
await import("./token.mjs");
await import("./load.mjs");
await import("./looks.mjs");
