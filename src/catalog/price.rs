//! The one price function.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use crate::config::{PriceRule, ServiceConfig};
use crate::domain::money::AmountOverflow;
use crate::domain::{JobSpec, Msat};

/// What a request costs, and what the payer's wallet shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The exact amount, a whole number of sats.
    pub amount: Msat,
    /// One line without the caller's own words.
    pub description: String,
}

/// Prices `spec`; errors only where a configured price times the duration exceeds all bitcoin.
pub fn quote(service: &ServiceConfig, spec: &JobSpec) -> Result<Quote, AmountOverflow> {
    let (seconds, description) = match spec {
        JobSpec::Video(video) => (video.duration, format!("satforge video, {} s", video.duration)),
        JobSpec::Model3d(_) => (1, String::from("satforge 3D model")),
    };
    let amount = match service.price {
        PriceRule::Fixed(amount) => amount,
        PriceRule::PerSecond(amount) => amount.times(u64::from(seconds))?,
    };
    Ok(Quote { amount, description })
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;
    use crate::config::ServiceKind;
    use crate::domain::ServiceId;
    use crate::domain::request::VideoSpec;
    use proptest::prelude::*;
    use std::time::Duration;

    fn service(price: PriceRule) -> ServiceConfig {
        ServiceConfig {
            id: ServiceId::Video,
            price,
            body_limit: 1,
            deadline: Duration::ZERO,
            result_limit: 1,
            private_callbacks: false,
            kind: ServiceKind::Video { models: vec![], max_prompt_chars: 1 },
        }
    }

    fn video(duration: u32) -> JobSpec {
        JobSpec::Video(VideoSpec { prompt: "p".into(), model: "m".into(), duration, camera_fixed: false })
    }

    proptest! {
        #[test]
        fn the_price_is_monotone_in_duration(sat in 1..1_000_000_u64, short in 1..1_000_u32, longer in 1..1_000_u32) {
            let amount = Msat::from_sat(sat).unwrap();
            for rule in [PriceRule::Fixed(amount), PriceRule::PerSecond(amount)] {
                let service = service(rule);
                let low = quote(&service, &video(short)).unwrap().amount;
                let high = quote(&service, &video(short + longer)).unwrap().amount;
                prop_assert!(low <= high);
                prop_assert!(low.msat() > 0 && low.msat().is_multiple_of(1_000));
            }
        }
    }
}
