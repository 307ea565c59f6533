//! Rows of figures: a table for people, and the same as JSON, one object a row. It measures nothing.

use serde_json::{Value, json};
use std::{fs, io, path::Path};

/// One measured thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub row: String,
    /// In what it is counted.
    pub unit: &'static str,
    /// What was measured.
    pub ours: f64,
    /// One value a run, for the spread.
    pub values: Vec<f64>,
    /// What it is set against, measured in the same run.
    pub beside: Option<(String, f64)>,
    /// What it is to be.
    pub goal: Option<Goal>,
}

/// What a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most so much, in the figure's unit.
    AtMost(f64),
    /// At most so many times what stands beside it.
    AtMostTimes(f64),
    /// At least so many times what stands beside it.
    AtLeastTimes(f64),
}

/// All figures of one benchmark.
#[derive(Debug, Default)]
pub struct Report(Vec<Figure>);

impl Figure {
    /// How it stands to what is beside it.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (_, beside) = self.beside.as_ref()?;
        Some(self.ours / beside)
    }

    /// Whether it is as it is to be; nothing where it has no goal.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        match self.goal? {
            Goal::AtMost(most) => Some(self.ours <= most),
            Goal::AtMostTimes(most) => Some(self.ratio()? <= most),
            Goal::AtLeastTimes(least) => Some(self.ratio()? >= least),
        }
    }

    fn json(&self) -> Value {
        json!({
            "row": self.row,
            "ours": self.ours,
            "unit": self.unit,
            "beside": self.beside.as_ref().map(|(name, _)| name),
            "beside_value": self.beside.as_ref().map(|(_, value)| value),
            "ratio": self.ratio(),
            "goal": self.goal.map(|goal| goal.words(self.unit)),
            "met": self.met(),
            "runs": self.values.len(),
            "min": self.values.iter().copied().reduce(f64::min),
            "max": self.values.iter().copied().reduce(f64::max),
        })
    }

    fn line(&self) -> String {
        let ours = number(self.ours);
        let beside = match (&self.beside, self.ratio()) {
            (Some((name, value)), Some(ratio)) => format!("   {name}: {} (x{ratio:.2})", number(*value)),
            _ => String::new(),
        };
        let goal = match (self.goal, self.met()) {
            (Some(goal), Some(met)) => {
                format!(
                    "   goal {}: {}",
                    goal.words(self.unit),
                    if met { "met" } else { "missed" }
                )
            }
            _ => String::new(),
        };
        format!("{:<66} {ours:>8} {}{beside}{goal}", self.row, self.unit)
    }
}

impl Goal {
    fn words(self, unit: &str) -> String {
        match self {
            Goal::AtMost(most) => format!("<= {most} {unit}"),
            Goal::AtMostTimes(most) => format!("<= {most} x"),
            Goal::AtLeastTimes(least) => format!(">= {least} x"),
        }
    }
}

impl Report {
    /// Adds a row.
    pub fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    /// Adds all rows of another one.
    pub fn append(&mut self, other: Report) {
        self.0.extend(other.0);
    }

    /// The table for people.
    #[must_use]
    pub fn table(&self) -> String {
        self.0.iter().map(|figure| figure.line() + "\n").collect()
    }

    /// Writes `<folder>/<name>.json`: an array, one object a line.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let rows: Vec<String> = self.0.iter().map(|figure| figure.json().to_string()).collect();
        let text = format!("[\n{}\n]\n", rows.join(",\n"));
        fs::write(folder.join(format!("{name}.json")), text)
    }
}

/// Three figures that count, and no more than three behind the point.
fn number(value: f64) -> String {
    match value.abs() {
        at_least_100 if at_least_100 >= 100.0 => format!("{value:.0}"),
        at_least_1 if at_least_1 >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(goal: Option<Goal>) -> Figure {
        Figure {
            row: "memory".to_owned(),
            unit: "MB",
            ours: 2.0,
            values: vec![3.0, 1.0, 2.0],
            beside: Some(("another".to_owned(), 4.0)),
            goal,
        }
    }

    #[test]
    fn a_row_has_every_key() {
        let row = figure(Some(Goal::AtMost(2.5))).json();
        let expected = json!({
            "row": "memory", "ours": 2.0, "unit": "MB", "beside": "another", "beside_value": 4.0, "ratio": 0.5,
            "goal": "<= 2.5 MB", "met": true, "runs": 3, "min": 1.0, "max": 3.0,
        });
        assert_eq!(row, expected);
    }

    #[test]
    fn a_goal_is_met_or_missed_or_none() {
        assert_eq!(figure(Some(Goal::AtMost(1.5))).met(), Some(false));
        assert_eq!(figure(Some(Goal::AtMostTimes(0.4))).met(), Some(false));
        assert_eq!(figure(Some(Goal::AtLeastTimes(0.4))).met(), Some(true));
        assert_eq!(figure(None).met(), None);
    }
}
