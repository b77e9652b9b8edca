//! The pages about money back: a refund's, and the one that finds what a payment bought.

use askama::Template;
use qrcode::{Color, EcLevel, QrCode};

use super::context::Site;
use super::documents::Head;

/// A refund as its page shows it.
#[derive(Clone, Debug)]
pub struct RefundDoc {
    /// How much it is; `None` behind a link that has expired.
    pub amount: Option<String>,
    /// What became of it.
    pub status: RefundStatus,
}

/// What became of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// A wallet can scan this text and have it.
    Claimable(String),
    /// The operator pays it by hand.
    ByHand,
    /// It is on its way.
    Claiming,
    /// It was paid, at this time.
    Paid(String),
    /// The link has expired.
    Expired,
}

/// What a credential leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveredDoc {
    /// To a result at this URL.
    Delivered {
        /// Where it is.
        url: String,
    },
    /// To a result that was deleted.
    Gone,
    /// To a job that goes on.
    UnderWay {
        /// Where it can be read.
        poll_url: String,
    },
    /// To a refund.
    Owed {
        /// The refund's page.
        url: String,
        /// How much it is.
        amount: String,
        /// Whether its owner has it.
        is_paid: bool,
    },
    /// To nothing yet.
    Unredeemed {
        /// Where it can be redeemed.
        path: String,
        /// Until when.
        until: String,
    },
    /// It is no credential.
    Refused {
        /// Why.
        why: String,
    },
}

#[derive(Template)]
#[template(path = "refund.html")]
struct RefundPage<'a> {
    site: &'a Site,
    head: Head,
    refund: &'a RefundDoc,
    code: Option<Code>,
}

#[derive(Template)]
#[template(path = "recover.html")]
struct RecoverPage<'a> {
    site: &'a Site,
    head: Head,
    found: Option<&'a RecoveredDoc>,
}

/// A time of RFC 3339 in UTC, to the second.
fn readable(time: &str) -> String {
    format!("{} UTC", time.get(..19).unwrap_or(time).replace('T', " "))
}

/// A QR code as the path of a vector graphic, one unit a module.
struct Code {
    side: usize,
    path: String,
}

/// Modules of white around a code, without which scanners do not find it.
const QUIET: usize = 4;

/// `/refunds/{name}`: how to get the money.
pub fn render_refund(site: &Site, refund: &RefundDoc) -> Result<String, askama::Error> {
    let head = Head {
        title: "Your refund · satforge".to_owned(),
        description: "What is owed back to you, and how to get it.".to_owned(),
        path: None,
    };
    let code = match &refund.status {
        // In upper case it fits into a smaller code. The scheme is not: wallets look for it as it is written in links.
        RefundStatus::Claimable(lnurl) => Code::of(&format!("lightning:{}", lnurl.to_ascii_uppercase())),
        _ => None,
    };
    RefundPage { site, head, refund, code }.render()
}

/// `/recover`: finds what a payment bought.
pub fn render_recover(site: &Site, found: Option<&RecoveredDoc>) -> Result<String, askama::Error> {
    let head = Head {
        title: "Recover a purchase · satforge".to_owned(),
        description: "Lost the connection after paying? Your credential finds the result or the refund.".to_owned(),
        path: Some("/recover".to_owned()),
    };
    RecoverPage { site, head, found }.render()
}

impl Code {
    /// `None`: the text is too long for any code.
    fn of(text: &str) -> Option<Self> {
        use std::fmt::Write as _;
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            while x < width {
                let run = row[x..].iter().take_while(|color| **color == Color::Dark).count();
                if run > 0 {
                    // Writing to a string cannot fail.
                    let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
                }
                x += run.max(1);
            }
        }
        Some(Self { side: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_code_is_drawn_as_it_is_encoded() {
        let code = Code::of("lightning:LNURL1DP68GURN8GHJ7").unwrap();
        let drawn: usize = code
            .path
            .split('h')
            .skip(1)
            .step_by(2)
            .map(|run| run.split('v').next().unwrap().parse::<usize>().unwrap())
            .sum();
        let encoded = QrCode::with_error_correction_level("lightning:LNURL1DP68GURN8GHJ7", EcLevel::L).unwrap();
        assert_eq!(drawn, encoded.to_colors().iter().filter(|color| **color == Color::Dark).count());
        assert_eq!(code.side, encoded.width() + 8);
    }

    #[test]
    fn a_link_is_shown_while_it_can_be_claimed() {
        let page = |status| {
            render_refund(&samples::production(), &RefundDoc { amount: Some("500 sats".into()), status }).unwrap()
        };
        let claimable = page(RefundStatus::Claimable("lnurl1abc".into()));
        assert!(claimable.contains("lnurl1abc") && claimable.contains("<path") && claimable.contains("500 sats"));
        let paid = page(RefundStatus::Paid("2026-01-01T10:00:00.123Z".into()));
        assert!(paid.contains(r#"datetime="2026-01-01T10:00:00.123Z">2026-01-01 10:00:00 UTC<"#), "{paid}");
        for status in [RefundStatus::Claiming, RefundStatus::Paid("2026-01-01T00:00:00Z".into()), RefundStatus::ByHand]
        {
            assert!(!page(status).contains("<path"));
        }
    }
}
