//! What `check --live` says about a configuration that is not good.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;

use super::shop::{Says, Shop};
use crate::kit::process::run;
use crate::node::Fault;
use crate::products::text;
use crate::scripted::Asked;
use crate::stub::Product;

type Change = Box<dyn FnOnce(&mut Shop) + Send>;

/// Something that is wrong, and what is said about it.
pub struct Case {
    pub said: &'static str,
    changes: Vec<Change>,
    says: Option<Says>,
}

/// `check --live` prints `said` when the rest of the case is true.
pub fn case(said: &'static str) -> Case {
    Case { said, changes: Vec::new(), says: None }
}

impl Case {
    pub fn change(mut self, change: impl FnOnce(&mut Shop) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// This key has this value.
    pub fn set(self, path: &'static str, value: impl Into<toml::Value> + Send + 'static) -> Self {
        self.change(move |shop| shop.set(path, value))
    }

    pub fn without(self, path: &'static str) -> Self {
        self.change(move |shop| shop.remove(path))
    }

    /// The file that this key refers to holds this.
    pub fn holds(self, path: &'static str, content: impl AsRef<[u8]> + Send + 'static) -> Self {
        self.change(move |shop| shop.put(path, content.as_ref(), 0o600))
    }

    /// The URL of this key begins with another scheme.
    pub fn scheme(self, path: &'static str, scheme: &'static str) -> Self {
        self.change(move |shop| {
            let url = shop.text(path);
            let (_, rest) = url.split_once("://").unwrap();
            shop.set(path, format!("{scheme}://{rest}"));
        })
    }

    /// The node behind the product is like that.
    pub fn node(self, fault: Fault) -> Self {
        self.change(move |shop| shop.node.break_with(fault))
    }

    /// The product answers everything so.
    #[expect(clippy::needless_pass_by_value, reason = "text and JSON alike")]
    pub fn answers(self, status: u16, body: impl ToString) -> Self {
        let body = body.to_string();
        self.when(move |_| Some(text(status, &body)))
    }

    /// The product answers so whatever begins with `what`, a method and a path.
    #[expect(clippy::needless_pass_by_value, reason = "text and JSON alike")]
    pub fn answers_to(self, what: &'static str, status: u16, body: impl ToString) -> Self {
        let body = body.to_string();
        self.when(move |asked| asked.what.starts_with(what).then(|| text(status, &body)))
    }

    pub fn when(mut self, says: impl Fn(&Asked) -> Option<Response<Body>> + Send + Sync + 'static) -> Self {
        self.says = Some(Arc::new(says));
        self
    }
}

/// Runs the binary, which must refuse and say just that.
pub async fn said<P: Product>(backend: &str, case: Case) {
    let mut shop = Shop::open::<P>(backend, case.says).await;
    for change in case.changes {
        change(&mut shop);
    }
    let output = run(&["check", "--live", "--config", &shop.file()]);
    let printed = shop.as_documented(&output.stderr);
    assert!(!output.status.success(), "not refused: {}", case.said);
    let printed = printed.strip_prefix("satforge: ").unwrap_or(&printed).trim_end();
    assert!(is(&printed.replace('`', ""), &case.said.replace('`', "")), "expected {}, printed {printed}", case.said);
}

/// Whether `printed` is `said`, where an ellipsis stands for anything.
fn is(printed: &str, said: &str) -> bool {
    let Some((begin, end)) = said.split_once('…') else { return printed == said };
    printed.strip_prefix(begin).is_some_and(|rest| !rest.is_empty() && rest.ends_with(end))
}
