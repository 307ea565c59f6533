//! Writes the JSON Schema of every message to `schemas/json`, from the types themselves.

use snooze_schemas::catalogue::schemas;
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
    fs::create_dir_all(&folder)?;
    for (name, schema) in schemas() {
        fs::write(
            folder.join(format!("{name}.schema.json")),
            format!("{schema:#}\n"),
        )?;
    }
    Ok(())
}
