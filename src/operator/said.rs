//! What is said to the operator: for people, or for machines.

use serde_json::Value;

/// An answer in both forms.
#[derive(Clone, Debug)]
pub struct Said {
    /// For machines: names and meanings stay.
    pub json: Value,
    /// For people, without a newline at its end.
    pub text: String,
}

impl Said {
    /// The one that was asked for.
    #[must_use]
    pub fn render(&self, as_json: bool) -> String {
        if as_json { self.json.to_string() } else { self.text.clone() }
    }
}

/// Columns under their names, numbers flush right.
pub(super) fn table(names: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([names[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| {
            let is_number = !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || c == '.');
            if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut names.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// Names and values, one a line; those without a value are left out.
pub(super) fn list(pairs: &[(&str, Option<String>)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = pairs.iter().filter_map(|(name, value)| Some(format!("{name:<width$}  {}", value.as_ref()?)));
    lines.collect::<Vec<_>>().join("\n")
}

/// An amount in sats: whole ones, or with what is left.
pub(super) fn sats(msat: i64) -> String {
    let (sign, msat) = (if msat < 0 { "-" } else { "" }, msat.unsigned_abs());
    let (whole, rest) = (msat / 1_000, msat % 1_000);
    if rest == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest:03}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_it_must_be() {
        let rows = [vec!["a".to_owned(), "5".to_owned()], vec!["longer".to_owned(), "12.500".to_owned()]];
        assert_eq!(table(&["NAME", "SATS"], &rows), "NAME    SATS\na            5\nlonger  12.500");
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!([0, 1, 500_000, 1_234_567, -1_500].map(sats), ["0", "0.001", "500", "1234.567", "-1.500"]);
    }
}
