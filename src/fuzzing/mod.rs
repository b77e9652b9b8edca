//! What the fuzz targets run: each parser that sees a stranger's bytes, with what must hold of it whatever they are.
//!
//! In no build of the gateway: libFuzzer reaches it (`fuzz/`), and the tests below, which replay every seed.
//!
//! - [`edge`]: what callers send. - [`money`]: where refunds are to go. - [`upstream`]: what other servers answer.
#![expect(clippy::panic, clippy::expect_used, reason = "a property that does not hold is a crash")]

pub mod edge;
pub mod money;
pub mod upstream;

/// What a program of the fuzzer's calls with each input.
pub type Target = fn(&[u8]);

/// Each target: the name of its program, of its file and of its corpus in `fuzz/`.
pub const TARGETS: [(&str, Target); 16] = [
    ("answers", upstream::answers),
    ("authorization", edge::authorization),
    ("callback_url", edge::callback_url),
    ("claim", money::claim),
    ("forwarded", edge::forwarded),
    ("invoice", money::invoice),
    ("lightning_address", money::lightning_address),
    ("macaroon", edge::macaroon),
    ("model_request", edge::model_request),
    ("names", edge::names),
    ("prefer", edge::prefer),
    ("range", edge::range),
    ("recover", edge::recover),
    ("video_request", edge::video_request),
    ("webhooks", upstream::webhooks),
    ("withdraw", money::withdraw),
];

/// The first line, and what follows it.
fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::TARGETS;

    fn at(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
    }

    fn names_in(folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(at(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// Without libFuzzer: what a seed once showed stays shown.
    #[test]
    fn every_seed_of_every_corpus_passes() {
        for (name, target) in TARGETS {
            let mut seeds = 0;
            for entry in fs::read_dir(at("corpus").join(name)).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(&path).unwrap());
                seeds += 1;
            }
            assert!(seeds >= 3, "{name} has {seeds} seeds");
            target(b"");
        }
    }

    /// A little of what libFuzzer does: the same every time, so that a failure can be looked at.
    #[test]
    fn what_is_like_a_seed_passes_too() {
        for (name, target) in TARGETS {
            let mut seeds: Vec<PathBuf> =
                fs::read_dir(at("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            seeds.sort();
            for (n, path) in seeds.iter().enumerate() {
                println!("{}", path.display());
                let seed = fs::read(path).unwrap();
                let mut dice = Dice(n as u64 + 1);
                for _ in 0..MUTANTS {
                    target(&mutant(&seed, &mut dice));
                }
            }
        }
    }

    const MUTANTS: usize = 40;

    struct Dice(u64);

    impl Dice {
        /// A number below `limit`, which is not zero.
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % limit
        }
    }

    fn mutant(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
        const ODD: &[u8] = b"\0\n\"\\/.,:;=&%+-@ []{}01aA\x7f\x80\xff";
        let mut bytes = seed.to_vec();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len() + 1);
            match dice.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, ODD[dice.below(ODD.len())]),
                2 => drop(bytes.drain(at..(at + dice.below(8)).min(bytes.len()))),
                3 => bytes.splice(at..at, seed[..dice.below(seed.len() + 1)].to_vec()).for_each(drop),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            }
        }
        bytes
    }

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names_in("corpus"), named);
        let mut programs = names_in("fuzz_targets");
        assert!(programs.remove("any"), "the one that is run for all of them");
        assert_eq!(programs, named);
        let manifest = fs::read_to_string(at("Cargo.toml")).unwrap();
        for name in named {
            let program = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
            assert!(manifest.contains(&program), "{name} is no program in fuzz/Cargo.toml");
            let source = fs::read_to_string(at(&format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(source.contains(&format!("::{name}(input)")), "{name}");
        }
    }
}
