//! The binary: read the command line, start a runtime, run.

use std::process::ExitCode;

use answerback::cli;

/// Many small allocations on many threads: glibc's allocator keeps the memory of past peaks, this one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let job = match cli::prepare(std::env::args_os()) {
        Ok(job) => job,
        Err(exit_code) => return exit_code,
    };
    // As many workers as this process may use processors at once.
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let exit_code = runtime.block_on(job.run());
            // What still runs has been told to stop, or a second signal said not to wait for it.
            runtime.shutdown_background();
            exit_code
        }
        Err(e) => cli::fail(&format!("cannot start threads: {e}")),
    }
}
