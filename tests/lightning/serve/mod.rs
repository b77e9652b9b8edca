//! The real binary, configured as satforge.example.toml and docs/lightning.md say.

mod documented;
mod purchases;
mod refusals;
mod sentences;
mod shop;

/// For every backend a test of each kind, so that a failure names both. A backend's name is that of its section.
macro_rules! for_every_backend {
    ($($name:ident: $product:ty,)+) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn the_examples_section_leads_to_a_sale() {
                purchases::sell::<$product>(stringify!($name)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_good_configuration_is_told_from_the_others() {
                purchases::check::<$product>(stringify!($name)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_wrong_is_said_as_documented() {
                for case in sentences::$name::all().await {
                    refusals::said::<$product>(stringify!($name), case).await;
                }
            }
        })+

        /// The backends that are documented, and what `check` says with each of them.
        async fn said() -> Vec<(&'static str, Vec<&'static str>)> {
            vec![$((stringify!($name), sentences::$name::all().await.iter().map(|case| case.said).collect()),)+]
        }
    };
}

use crate::products::blink::BlinkProduct;
use crate::products::cln::ClnProduct;
use crate::products::lightning_address::LightningAddressProduct;
use crate::products::lnbits::LnbitsProduct;
use crate::products::lnd::LndProduct;
use crate::products::nwc::NwcProduct;
use crate::products::opennode::OpenNodeProduct;
use crate::products::phoenixd::PhoenixdProduct;

for_every_backend! {
    lnd: LndProduct,
    cln: ClnProduct,
    phoenixd: PhoenixdProduct,
    lnbits: LnbitsProduct,
    blink: BlinkProduct,
    opennode: OpenNodeProduct,
    nwc: NwcProduct,
    lightning_address: LightningAddressProduct,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_any_backend_is_said_as_documented() {
    for case in sentences::any::all() {
        refusals::said::<LndProduct>("lnd", case).await;
    }
}
