//! The services at every price that they can have.

use std::sync::Arc;

use crate::config::{RouteConfig, ServiceConfig, ServiceKind};
use crate::domain::money::AmountOverflow;
use crate::domain::{PriceFactor, ServiceId};

use super::price::{self, Quote};

/// The services on sale and their settings.
#[derive(Clone, Debug)]
pub struct Catalog {
    services: Vec<ServiceConfig>,
    /// Each service at each price, in the order of its routes.
    priced: Vec<Priced>,
}

#[derive(Clone, Debug)]
struct Priced {
    factor: PriceFactor,
    service: Arc<ServiceConfig>,
}

/// A route at which its service has no price.
#[derive(Clone, Debug, thiserror::Error)]
#[error("services.{service}.routes, route {route:?}: price_factor = {factor}: {problem}")]
pub struct Unpriceable {
    service: ServiceId,
    route: String,
    factor: f64,
    problem: String,
}

impl Catalog {
    /// A catalogue of `services` at the prices that were configured.
    #[must_use]
    pub fn new(services: Vec<ServiceConfig>) -> Self {
        let priced = |service: &ServiceConfig| Priced { factor: PriceFactor::ONE, service: Arc::new(service.clone()) };
        Self { priced: services.iter().map(priced).collect(), services }
    }

    /// A catalogue of `services` that are sold along `routes`: at the price of each, and for images that one of them
    /// takes. Errors with a route that makes a price which is none.
    pub fn of_routes<'a>(
        mut services: Vec<ServiceConfig>,
        routes: impl IntoIterator<Item = &'a RouteConfig>,
    ) -> Result<Self, Unpriceable> {
        let mut factors = Vec::new();
        for route in routes {
            let Some(service) = services.iter_mut().find(|service| service.id == route.service) else { continue };
            if let ServiceKind::Model3d { routes, .. } = &mut service.kind {
                routes.push(route.image);
            }
            let factor = PriceFactor::new(route.price_factor).map_err(|error| refused(route, &error))?;
            if !factors.contains(&(route.service, factor)) {
                at(service, factor).map_err(|error| refused(route, &error))?;
                factors.push((route.service, factor));
            }
        }
        let mut catalog = Self::new(services);
        for service in &catalog.services {
            let factors: Vec<_> = factors.iter().filter(|(id, _)| *id == service.id).collect();
            if !factors.is_empty() {
                catalog.priced.retain(|priced| priced.service.id != service.id);
            }
            // An amount that overflows was refused above.
            let priced = factors.into_iter().filter_map(|(_, factor)| Some((*factor, at(service, *factor).ok()?)));
            let priced = priced.map(|(factor, service)| Priced { factor, service: Arc::new(service) });
            catalog.priced.extend(priced);
        }
        Ok(catalog)
    }

    /// Every service, in the order in which pages show them, at the price that was configured.
    #[must_use]
    pub fn services(&self) -> &[ServiceConfig] {
        &self.services
    }

    /// The settings of one service; `None` when it is not on sale.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&ServiceConfig> {
        self.services.iter().find(|service| service.id == id)
    }

    /// One service as it is sold along a route with this price factor; `None` where no route has it.
    #[must_use]
    pub fn priced(&self, id: ServiceId, factor: f64) -> Option<&Arc<ServiceConfig>> {
        let factor = PriceFactor::new(factor).ok()?;
        let priced = self.priced.iter().find(|priced| priced.service.id == id && priced.factor == factor);
        priced.map(|priced| &priced.service)
    }

    /// Every amount that something can cost, and what a wallet shows for it.
    #[must_use]
    pub fn quotes(&self) -> Vec<Quote> {
        let mut quotes = Vec::new();
        for quote in self.priced.iter().flat_map(|priced| priced.service.quotes()) {
            if !quotes.contains(&quote) {
                quotes.push(quote);
            }
        }
        quotes
    }
}

/// The service at another price; errors where a request would cost more than all bitcoin.
fn at(service: &ServiceConfig, factor: PriceFactor) -> Result<ServiceConfig, AmountOverflow> {
    let priced = ServiceConfig { price: price::scaled(service.price, factor)?, ..service.clone() };
    priced.samples().iter().try_for_each(|spec| price::quote(&priced, spec).map(drop))?;
    Ok(priced)
}

fn refused(route: &RouteConfig, problem: &impl ToString) -> Unpriceable {
    Unpriceable {
        service: route.service,
        route: route.name.clone(),
        factor: route.price_factor,
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Ambiguous, CostRule, ImageBounds, PriceRule};
    use crate::domain::{InputTemplate, Msat};
    use std::time::Duration;

    fn services() -> Vec<ServiceConfig> {
        let service = |id, price, kind| ServiceConfig {
            id,
            price,
            body_limit: 1 << 24,
            deadline: Duration::ZERO,
            result_limit: 1,
            private_callbacks: false,
            kind,
        };
        let sat = |sat| Msat::from_sat(sat).unwrap();
        let video = ServiceKind::Video { models: vec!["m".into()], max_prompt_chars: 1 };
        let model = ServiceKind::Model3d { max_side: 100, max_pixels: 5_000, max_alloc: 1 << 20, routes: vec![] };
        vec![
            service(ServiceId::Video, PriceRule::PerSecond(sat(100)), video),
            service(ServiceId::Model3d, PriceRule::Fixed(sat(350)), model),
        ]
    }

    fn route(service: ServiceId, price_factor: f64, min_side: u32) -> RouteConfig {
        RouteConfig {
            name: "r".into(),
            service,
            provider: "p".into(),
            model: String::new(),
            input: InputTemplate::default(),
            result: String::new(),
            image: ImageBounds { min_side: Some(min_side), ..ImageBounds::default() },
            deadline: None,
            price_factor,
            concurrency: 1,
            ambiguous: Ambiguous::default(),
            cost: CostRule::default(),
        }
    }

    #[test]
    fn each_service_is_listed_at_the_price_of_each_route() {
        let (video, model) = (ServiceId::Video, ServiceId::Model3d);
        let routes = [route(video, 2.0, 1), route(model, 1.0, 50), route(video, 2.0, 1), route(video, 0.5, 1)];
        let catalog = Catalog::of_routes(services(), &routes).unwrap();
        let price = |id, factor| catalog.priced(id, factor).map(|service| service.price_rule());
        assert_eq!(price(video, 2.0).as_deref(), Some("200 sats per second"));
        assert_eq!(price(video, 0.5).as_deref(), Some("50 sats per second"));
        assert_eq!((price(video, 3.0), price(model, 2.0)), (None, None));
        assert_eq!(price(model, 1.0).as_deref(), Some("350 sats per request"));
        let mut amounts: Vec<_> = catalog.quotes().iter().map(|quote| quote.amount.sat_rounded_up()).collect();
        amounts.sort_unstable();
        assert_eq!(amounts, [250, 350, 500, 1_000, 2_000]);
    }

    #[test]
    fn an_image_is_described_and_exemplified_as_the_routes_take_it() {
        let routes = [route(ServiceId::Model3d, 1.0, 60), route(ServiceId::Model3d, 2.0, 50)];
        let catalog = Catalog::of_routes(services(), &routes).unwrap();
        let service = catalog.priced(ServiceId::Model3d, 2.0).unwrap();
        assert!(service.params()[0].rule.contains("50 to 100 pixels a side"), "{}", service.params()[0].rule);
        assert!(service.schema()["properties"]["image"]["description"].as_str().unwrap().contains("50 to 100"));
        let body = bytes::Bytes::from(service.example_body());
        let priced = crate::catalog::validate(service, &body, crate::catalog::Depth::Full).unwrap();
        assert_eq!(priced.quote.amount.whole_sat(), Some(700));
    }

    #[test]
    fn a_factor_without_a_price_is_refused_by_name() {
        let refusal = |factor| Catalog::of_routes(services(), &[route(ServiceId::Video, factor, 1)]).unwrap_err();
        assert_eq!(
            refusal(0.0).to_string(),
            "services.video.routes, route \"r\": price_factor = 0: it must be from 0.01 to 100"
        );
        let mut dear = services();
        dear[0].price = PriceRule::PerSecond(Msat::from_sat(21_000_000 * 10_000_000).unwrap());
        let error = Catalog::of_routes(dear, &[route(ServiceId::Video, 1.01, 1)]).unwrap_err().to_string();
        assert!(error.ends_with("the amount is larger than all bitcoin"), "{error}");
    }
}
