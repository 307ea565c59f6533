//! Rules I3, I4 and I5 behind the fences that the product's server has: who may say what.

mod administrators;
mod answers;
mod attacks;
mod cast;
mod centre;
mod hosts;
mod table;
mod wire;
