//! The words that are one of a few.

use serde::Deserialize;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// As the API has it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

words!(
    /// Which way a message crossed.
    Direction {
        /// From the client to the endpoint.
        Received = "received",
        /// From the endpoint to the client.
        Sent = "sent",
    }
);
words!(
    /// How to hang up on a client.
    HangUp {
        /// It reads to the end of what was sent.
        Fin = "fin",
        /// At once, whatever is on its way.
        Reset = "reset",
    }
);
words!(
    /// The form of an export.
    ExportFormat {
        /// A capture file for Wireshark.
        Pcapng = "pcapng",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// To read.
        Hexdump = "hexdump",
    }
);
