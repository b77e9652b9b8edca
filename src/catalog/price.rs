//! The one price function.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use crate::config::{PriceRule, ServiceConfig};
use crate::domain::money::AmountOverflow;
use crate::domain::{JobSpec, Msat, PriceFactor};

/// What a request costs, and what the payer's wallet shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The exact amount, a whole number of sats.
    pub amount: Msat,
    /// One line without the caller's own words.
    pub description: String,
}

/// `rule` multiplied by `factor`. What is fixed is a whole number of sats again; a second's price may have a part of one,
/// so that rounding up happens once, to the whole.
pub(super) fn scaled(rule: PriceRule, factor: PriceFactor) -> Result<PriceRule, AmountOverflow> {
    Ok(match rule {
        PriceRule::Fixed(amount) => PriceRule::Fixed(amount.scaled(factor)?.rounded_up_to_sat()),
        PriceRule::PerSecond(amount) => PriceRule::PerSecond(amount.scaled(factor)?),
    })
}

/// An amount in sats, with as many decimals as it needs.
pub(super) fn decimal(amount: Msat) -> String {
    let (whole, rest) = (amount.msat() / 1_000, amount.msat() % 1_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
}

/// Prices `spec`, in whole sats; errors only where a configured price times the duration exceeds all bitcoin.
pub fn quote(service: &ServiceConfig, spec: &JobSpec) -> Result<Quote, AmountOverflow> {
    let (seconds, description) = match spec {
        JobSpec::Video(video) => (video.duration, format!("satforge video, {} s", video.duration)),
        JobSpec::Model3d(_) => (1, String::from("satforge 3D model")),
    };
    let amount = match service.price {
        PriceRule::Fixed(amount) => amount,
        PriceRule::PerSecond(amount) => amount.times(u64::from(seconds))?,
    };
    Ok(Quote { amount: amount.rounded_up_to_sat(), description })
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

    #[test]
    fn a_part_of_a_sat_is_rounded_up_once() {
        let factor = |factor| PriceFactor::new(factor).unwrap();
        let cost = |rule, by, seconds| {
            let rule = scaled(rule, factor(by)).unwrap();
            quote(&service(rule), &video(seconds)).unwrap().amount.whole_sat().unwrap()
        };
        let sat = |sat| Msat::from_sat(sat).unwrap();
        let second = PriceRule::PerSecond(sat(1));
        assert_eq!([cost(second, 1.1, 5), cost(second, 1.1, 10), cost(second, 0.25, 5)], [6, 11, 2]);
        assert_eq!(cost(PriceRule::PerSecond(sat(100)), 1.1, 5), 550, "and not 551, as floating point has it");
        assert_eq!([1.1, 1.0, 0.01].map(|by| cost(PriceRule::Fixed(sat(350)), by, 5)), [385, 350, 4]);
        assert_eq!(
            [1, 1_100, 12_345, 7_010].map(|msat| decimal(Msat::new(msat).unwrap())),
            ["0.001", "1.1", "12.345", "7.01"]
        );
        let all = PriceRule::Fixed(sat(21_000_000 * 100_000_000));
        assert_eq!(scaled(all, factor(1.01)), Err(AmountOverflow));
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
