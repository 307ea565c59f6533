//! What has been written down about the messages must stay true: schemas as generated, fixtures as released.

mod effects;
mod fixtures;
mod generated_schemas;
mod shapes;
mod units;
