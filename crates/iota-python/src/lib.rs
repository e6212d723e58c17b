//! Python worker processes: starting them, talking to them, replacing them, finding out which rule killed one.
//! Knows nothing of sources, aggregation or outputs.

mod answer;
mod cache;
mod counts;
mod embedded;
mod frame;
mod interpreter;
mod left_out;
mod load;
mod patience;
mod prepared;
mod process;
mod runner;
mod sandbox;
mod spawn;
mod stop;

pub use cache::LoadCache;
pub use counts::WorkerCounts;
pub use interpreter::{Interpreter, InterpreterError};
pub use left_out::LeftOut;
pub use load::{LoadError, load};
pub use patience::Over;
pub use process::{Death, StartError};
pub use runner::{KILLS, PACK_KILLS, PackRunner, Program};
pub use sandbox::{Sandbox, SandboxError, SandboxLevel, SandboxMode};
pub use stop::{Cancel, Stop};
