//! The command line.

use satforge::planted::Bug;

pub struct Arguments {
    pub seconds: u64,
    pub seed: u64,
    pub plant: Option<Bug>,
    /// Whether the files of the gateway are kept, and who waited longest is told.
    pub keep: bool,
}

impl Arguments {
    /// Reads it; `None`: it only asked for something to be told.
    pub fn read() -> Result<Option<Self>, String> {
        let mut read = Self { seconds: 90, seed: 1, plant: None, keep: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seconds" => read.seconds = number(&value()?)?,
                "--seed" => read.seed = number(&value()?)?,
                "--plant" => {
                    let name = value()?;
                    read.plant = Some(Bug::named(&name).ok_or_else(|| format!("there is no bug {name}"))?);
                }
                "--keep" => read.keep = true,
                "--list-bugs" => {
                    for bug in Bug::ALL {
                        println!("{}", bug.name());
                    }
                    return Ok(None);
                }
                _ => return Err("use --seconds S, --seed N, --plant BUG and --keep, or --list-bugs".to_owned()),
            }
        }
        if read.plant.is_some() && cfg!(not(feature = "planted-bugs")) {
            return Err("bugs can only be planted in a build with --features planted-bugs".to_owned());
        }
        Ok(Some(read))
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
