//! The commands on the pages, made for this instance: its URL, its prices, its example.
//!
//! Each language has one template that reads as a whole program. A line with scissors cuts it into the steps that a
//! page shows one by one; put together again they run.

use askama::Template;

use super::context::{PricedExample, ServiceDoc, Site};
use super::quote;

/// The line at which a script is cut into steps.
const CUT: &str = "\n--8<--\n";

/// How many steps a purchase has: ask, pay, ask again, download.
pub const STEPS: usize = 4;

/// A Python program that receives callbacks and believes none that is not signed.
pub const RECEIVER: &str = include_str!("../../../templates/snippets/receiver.py").trim_ascii();

/// A language or tool that the snippets are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `sh` with `curl` and `sed`.
    Curl,
    /// Python 3, standard library only.
    Python,
    /// Node 18 or later, no packages.
    JavaScript,
    /// Lightning Labs' `lnget`.
    Lnget,
}

/// One step in one language.
pub struct Snippet {
    /// What it is written in.
    pub language: Language,
    /// The exact text to run.
    pub code: String,
}

/// One step in every language.
pub struct Step {
    /// Counted from 1.
    pub number: usize,
    /// In the order of [`Language::ALL`].
    pub snippets: Vec<Snippet>,
}

impl Language {
    /// Every language, in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::Curl, Self::Python, Self::JavaScript, Self::Lnget];

    /// The name in attributes.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Lnget => "lnget",
        }
    }

    /// The name on the tab.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::Lnget => "lnget",
        }
    }

    /// Where the text goes.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Curl | Self::Lnget => "in a terminal",
            Self::Python => "buy.py",
            Self::JavaScript => "buy.mjs",
        }
    }

    /// Whether the steps run as they stand. `lnget` pays from a node of the buyer's own.
    #[must_use]
    pub const fn is_self_contained(self) -> bool {
        !matches!(self, Self::Lnget)
    }
}

/// Another example than the one that the steps buy, each language's steps in one piece.
pub struct Variation<'a> {
    /// Counted from 2: the steps buy the first example.
    pub number: usize,
    /// What is bought.
    pub example: &'a PricedExample,
    /// The file that the result ends up in.
    pub file: String,
    /// In the order of [`Language::ALL`], without those that are not self-contained.
    pub snippets: Vec<Snippet>,
}

/// What every script is made from.
struct Purchase<'a> {
    site: &'a Site,
    service: &'a ServiceDoc,
    sats: u64,
    file: String,
    shell_body: String,
    script_body: String,
}

#[derive(Template)]
#[template(path = "snippets/curl.sh", escape = "none")]
struct CurlScript<'a>(&'a Purchase<'a>);

#[derive(Template)]
#[template(path = "snippets/python.py", escape = "none")]
struct PythonScript<'a>(&'a Purchase<'a>);

#[derive(Template)]
#[template(path = "snippets/javascript.mjs", escape = "none")]
struct JavaScriptScript<'a>(&'a Purchase<'a>);

#[derive(Template)]
#[template(path = "snippets/lnget.sh", escape = "none")]
struct LngetScript<'a>(&'a Purchase<'a>);

impl<'a> Purchase<'a> {
    /// The service's first example.
    fn new(site: &'a Site, service: &'a ServiceDoc) -> Self {
        let body = service.examples.first().map_or("{}", |example| example.body.as_str());
        Self {
            site,
            service,
            sats: service.example_sats,
            file: service.result_file.to_owned(),
            shell_body: quote::shell(body),
            script_body: quote::script(body),
        }
    }

    /// Another example, whose file does not take the place of the first one's.
    fn variation(site: &'a Site, service: &'a ServiceDoc, number: usize, example: &PricedExample) -> Self {
        let (name, extension) = service.result_file.split_once('.').unwrap_or((service.result_file, "bin"));
        Self {
            sats: example.sats,
            file: format!("{name}-{number}.{extension}"),
            shell_body: quote::shell(&example.body),
            script_body: quote::script(&example.body),
            ..Self::new(site, service)
        }
    }

    fn script(&self, language: Language) -> Result<String, askama::Error> {
        match language {
            Language::Curl => CurlScript(self).render(),
            Language::Python => PythonScript(self).render(),
            Language::JavaScript => JavaScriptScript(self).render(),
            Language::Lnget => LngetScript(self).render(),
        }
    }

    /// As much of the script as one paste or one file can do: where a real wallet has to pay, a shell gets no further
    /// than to the invoice, while a program asks for the preimage.
    fn in_one_piece(&self, language: Language) -> Result<String, askama::Error> {
        let stops = language == Language::Curl && !self.site.sandbox_payments;
        let shown = if stops { 1 } else { STEPS };
        Ok(self.script(language)?.split(CUT).take(shown).map(str::trim).collect::<Vec<_>>().join("\n\n"))
    }
}

/// The steps of buying the service's example, in every language.
pub fn steps(site: &Site, service: &ServiceDoc) -> Result<Vec<Step>, askama::Error> {
    let purchase = Purchase::new(site, service);
    let mut steps: Vec<Step> = (1..=STEPS).map(|number| Step { number, snippets: Vec::new() }).collect();
    for language in Language::ALL {
        let script = purchase.script(language)?;
        for (step, code) in steps.iter_mut().zip(script.split(CUT)) {
            step.snippets.push(Snippet { language, code: code.trim().to_owned() });
        }
    }
    Ok(steps)
}

/// The service's other examples, such as the longer video.
pub fn variations<'a>(site: &'a Site, service: &'a ServiceDoc) -> Result<Vec<Variation<'a>>, askama::Error> {
    let others = service.examples.iter().zip(1..).skip(1);
    others
        .map(|(example, number)| {
            let purchase = Purchase::variation(site, service, number, example);
            let languages = Language::ALL.into_iter().filter(|language| language.is_self_contained());
            let snippets = languages
                .map(|language| Ok(Snippet { language, code: purchase.in_one_piece(language)? }))
                .collect::<Result<_, askama::Error>>()?;
            Ok(Variation { number, example, file: purchase.file, snippets })
        })
        .collect()
}

/// The whole purchase as one paste for a shell.
pub fn one_paste(site: &Site, service: &ServiceDoc) -> Result<String, askama::Error> {
    Purchase::new(site, service).in_one_piece(Language::Curl)
}
