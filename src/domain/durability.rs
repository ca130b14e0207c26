//! What survives.

/// What a journal on disk survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it ends: `kill -9`, a panic, running out of memory.
    #[default]
    Process,
    /// The end of the machine's power or of its kernel too, on storage that honours flushes.
    Power,
}

impl Durability {
    /// The word of the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}
