//! The table that is printed, and the metrics in it.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Durations, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn new() -> Self {
        // Up to two minutes with three digits.
        Self(Histogram::new_with_bounds(1, 120_000_000, 3).expect("bounds in order"))
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The time that this part of all, in 0..1, do not exceed.
    pub(crate) fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    pub(crate) fn p50(&self) -> Duration {
        self.at(0.5)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.at(0.99)
    }

    pub(crate) fn most(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

/// A duration with three digits.
pub(crate) fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        0.0..1_000.0 => format!("{micros:.0} µs"),
        1_000.0..10_000.0 => format!("{:.2} ms", micros / 1e3),
        10_000.0..1_000_000.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}

/// Rows of the main table, and other tables below it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<[String; 6]>,
    tables: Vec<(String, Vec<Vec<String>>)>,
}

impl Report {
    /// A metric that has a floor and a target as a multiple of it.
    pub(crate) fn ratio(&mut self, what: &str, floor: Duration, ours: Duration, target: Option<f64>) {
        let ratio = ours.as_secs_f64() / floor.as_secs_f64().max(1e-9);
        let met = target.map_or("", |target| if ratio <= target { "yes" } else { "NO" });
        let target = target.map_or(String::new(), |target| format!("<= {target} x"));
        self.row([what, &shown(floor), &shown(ours), &format!("{ratio:.2}"), &target, met]);
    }

    /// A time under a limit; a floor where there is one.
    pub(crate) fn under(&mut self, what: &str, floor: Option<Duration>, ours: Duration, limit: Duration) {
        let met = if ours < limit { "yes" } else { "NO" };
        let ratio =
            floor.map_or(String::new(), |floor| format!("{:.2}", ours.as_secs_f64() / floor.as_secs_f64()));
        let floor = floor.map_or(String::new(), shown);
        self.row([what, &floor, &shown(ours), &ratio, &format!("< {}", shown(limit)), met]);
    }

    /// A size, under a limit where there is one.
    pub(crate) fn size(&mut self, what: &str, ours: u64, limit: Option<u64>) {
        let met = limit.map_or("", |limit| if ours < limit { "yes" } else { "NO" });
        let limit = limit.map_or(String::new(), |limit| format!("< {}", mebibytes(limit)));
        self.row([what, "", &mebibytes(ours), "", &limit, met]);
    }

    /// Any row: what, floor, ours, ratio, target, met.
    pub(crate) fn row(&mut self, row: [&str; 6]) {
        eprintln!("  {}", row.join(" | "));
        self.rows.push(row.map(str::to_owned));
    }

    /// A table of its own; its first row is the head.
    pub(crate) fn table(&mut self, title: &str, rows: Vec<Vec<String>>) {
        for row in &rows {
            eprintln!("  {}", row.join(" | "));
        }
        self.tables.push((title.to_owned(), rows));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rows.is_empty() {
            let head = ["", "floor", "ours", "ratio", "target", "met"].map(str::to_owned).to_vec();
            let rows = std::iter::once(head).chain(self.rows.iter().map(|row| row.to_vec()));
            aligned(f, &rows.collect::<Vec<_>>())?;
        }
        for (title, rows) in &self.tables {
            writeln!(f, "\n{title}\n")?;
            aligned(f, rows)?;
        }
        Ok(())
    }
}

/// Markdown that is also readable as it stands.
fn aligned(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            write!(f, "| {cell:width$} ")?;
        }
        writeln!(f, "|")?;
        if index == 0 {
            for width in &widths {
                write!(f, "| {} ", "-".repeat(*width))?;
            }
            writeln!(f, "|")?;
        }
    }
    Ok(())
}
