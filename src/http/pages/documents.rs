//! One template each: the home page, the guide, a page per service, the errors and the page for what is not there.

use askama::Template;

use super::context::{ServiceDoc, Site};
use super::errors::{ErrorDoc, ErrorGroup};
use super::snippets::{self, Language, Step, Variation};

/// What the frame around every page needs to know about the page.
pub(super) struct Head {
    pub(super) title: String,
    pub(super) description: String,
    /// The path of the page, or `None` for one that no search engine should remember.
    pub(super) path: Option<String>,
}

impl Head {
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path.as_deref() == Some(path)
    }

    pub(super) fn is_at_service(&self, id: &str) -> bool {
        self.path.as_deref().and_then(|path| path.strip_prefix("/l402/")) == Some(id)
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    site: &'a Site,
    head: Head,
    purchase: Option<Showcase<'a>>,
}

/// The service that the home page sells as an example: the first of the catalogue that is for sale.
struct Showcase<'a> {
    service: &'a ServiceDoc,
    /// The request in words, as on a till slip.
    item: &'a str,
    script: String,
}

#[derive(Template)]
#[template(path = "guide.html")]
struct GuidePage<'a> {
    site: &'a Site,
    head: Head,
}

#[derive(Template)]
#[template(path = "service.html")]
struct ServicePage<'a> {
    site: &'a Site,
    head: Head,
    service: &'a ServiceDoc,
    languages: [Language; 4],
    steps: Vec<Step>,
    variations: Vec<Variation<'a>>,
    receiver: &'static str,
}

#[derive(Template)]
#[template(path = "errors.html")]
struct ErrorsPage<'a> {
    site: &'a Site,
    head: Head,
    chapters: Vec<Chapter<'a>>,
}

/// The errors of one part of a purchase.
struct Chapter<'a> {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    errors: Vec<&'a ErrorDoc>,
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundPage<'a> {
    site: &'a Site,
    head: Head,
}

/// `/`: what this is, what it costs and how a purchase goes.
pub fn render_home(site: &Site) -> Result<String, askama::Error> {
    let shown = site.services.iter().find(|service| service.available);
    let purchase = match shown.or_else(|| site.services.first()) {
        Some(service) => Some(Showcase {
            service,
            item: service.examples.first().map_or(service.title.as_str(), |example| example.label.as_str()),
            script: snippets::one_paste(site, service)?,
        }),
        None => None,
    };
    let head = Head {
        title: "satforge: AI generation by the call, paid over Lightning".to_owned(),
        description: "Buy a generated video or 3D model with one HTTP request and one Lightning payment. \
                      No account, no API key, no subscription."
            .to_owned(),
        path: Some("/".to_owned()),
    };
    HomePage { site, head, purchase }.render()
}

/// `/l402`: how L402 works and how to buy with it.
pub fn render_guide(site: &Site) -> Result<String, askama::Error> {
    let head = Head {
        title: "How L402 works · satforge".to_owned(),
        description: "Macaroons, Lightning invoices and the two requests that make a purchase: L402 explained, \
                      with every header and status that this gateway uses."
            .to_owned(),
        path: Some("/l402".to_owned()),
    };
    GuidePage { site, head }.render()
}

/// `/l402/{id}`: how to buy from one service, in four languages.
pub fn render_service(site: &Site, service: &ServiceDoc) -> Result<String, askama::Error> {
    let head = Head {
        title: format!("{} · satforge", service.title),
        description: format!(
            "{} {}. Copyable commands for curl, Python, JavaScript and lnget.",
            service.summary, service.price_headline
        ),
        path: Some(format!("/l402/{}", service.id)),
    };
    let steps = snippets::steps(site, service)?;
    let variations = snippets::variations(site, service)?;
    let receiver = snippets::RECEIVER;
    ServicePage { site, head, service, languages: Language::ALL, steps, variations, receiver }.render()
}

/// `/errors`: every code with what it means and what to do; each code is an anchor.
pub fn render_errors(site: &Site, errors: &[ErrorDoc]) -> Result<String, askama::Error> {
    let head = Head {
        title: "Errors · satforge".to_owned(),
        description: "Every error code of this gateway: when it comes, whether anything was charged, what to do next."
            .to_owned(),
        path: Some("/errors".to_owned()),
    };
    ErrorsPage { site, head, chapters: chapters(site, errors) }.render()
}

/// The page for a path that leads nowhere.
pub fn render_not_found(site: &Site) -> Result<String, askama::Error> {
    let head = Head {
        title: "Not found · satforge".to_owned(),
        description: "There is no page at this address.".to_owned(),
        path: None,
    };
    NotFoundPage { site, head }.render()
}

fn chapters<'a>(site: &Site, errors: &'a [ErrorDoc]) -> Vec<Chapter<'a>> {
    ErrorGroup::ALL
        .into_iter()
        .filter(|group| site.sandbox_payments || *group != ErrorGroup::Sandbox)
        .map(|group| Chapter {
            id: group.id(),
            title: group.title(),
            lead: group.lead(),
            errors: errors.iter().filter(|error| error.group() == group).collect(),
        })
        .filter(|chapter| !chapter.errors.is_empty())
        .collect()
}
