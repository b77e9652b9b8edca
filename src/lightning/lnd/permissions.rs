//! What an LND macaroon allows, read from the macaroon itself.
//!
//! It is a version 2 macaroon whose identifier is the byte 3 and a protobuf message: nonce, root key id, and a list of
//! operations, each an entity and actions (`bakery/internal/macaroonpb/id.proto` of macaroon-bakery). A permission for a
//! single call has the entity `uri` and the call's name as its action.

/// What the node's operator has allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a permission of its own")]
pub(super) struct Permissions {
    pub create: bool,
    pub lookup: bool,
    send: bool,
    track: bool,
}

const IDENTIFIER: u8 = 2;
const BAKERY_VERSION: u8 = 3;
/// Field numbers of the message.
const OPS: u64 = 3;
const ENTITY: u64 = 1;
const ACTIONS: u64 = 2;

/// The permissions in the macaroon `bytes`; `None`: it is no macaroon of LND's.
pub(super) fn read(bytes: &[u8]) -> Option<Permissions> {
    let message = identifier(bytes)?.strip_prefix(&[BAKERY_VERSION])?;
    let mut permissions = Permissions { create: false, lookup: false, send: false, track: false };
    for op in fields(message)?.into_iter().filter(|(number, _)| *number == OPS) {
        let op = fields(op.1)?;
        let entity = op.iter().find(|(number, _)| *number == ENTITY).map(|(_, entity)| *entity)?;
        for (_, action) in op.iter().filter(|(number, _)| *number == ACTIONS) {
            permissions.allow(std::str::from_utf8(entity).ok()?, std::str::from_utf8(action).ok()?);
        }
    }
    Some(permissions)
}

impl Permissions {
    /// Whether it can pay: nothing is paid without a look at what was paid before.
    pub(super) const fn pay(self) -> bool {
        self.send && self.track
    }

    fn allow(&mut self, entity: &str, action: &str) {
        match (entity, action) {
            ("invoices", "write") | ("uri", "/lnrpc.Lightning/AddInvoice") => self.create = true,
            ("invoices", "read") | ("uri", "/lnrpc.Lightning/LookupInvoice") => self.lookup = true,
            ("offchain", "write") | ("uri", "/routerrpc.Router/SendPaymentV2") => self.send = true,
            ("offchain", "read") | ("uri", "/routerrpc.Router/TrackPaymentV2") => self.track = true,
            _ => {}
        }
    }
}

/// The identifier of a version 2 macaroon: packets of a type, a length and bytes.
fn identifier(bytes: &[u8]) -> Option<&[u8]> {
    let (2, mut rest) = bytes.split_first().map(|(version, rest)| (*version, rest))? else { return None };
    loop {
        let (kind, after) = rest.split_first()?;
        let (length, after) = varint(after)?;
        let (packet, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        if *kind == IDENTIFIER {
            return Some(packet);
        }
        rest = after;
    }
}

/// The fields of a protobuf message that hold bytes.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        // Length-delimited: nothing else is in these messages.
        if tag & 7 != 2 {
            return None;
        }
        let (length, rest) = varint(rest)?;
        let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        fields.push((tag >> 3, value));
        message = rest;
    }
    Some(fields)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, bytes.split_at_checked(index + 1)?.1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A macaroon with these operations, put together as LND does.
    fn macaroon(ops: &[(&str, &[&str])]) -> Vec<u8> {
        let field = |number: u8, value: &[u8]| {
            let mut field = vec![number << 3 | 2, u8::try_from(value.len()).unwrap()];
            field.extend_from_slice(value);
            field
        };
        let mut identifier = vec![BAKERY_VERSION];
        identifier.extend(field(1, &[7; 16]));
        identifier.extend(field(2, b"0"));
        for (entity, actions) in ops {
            let mut op = field(1, entity.as_bytes());
            actions.iter().for_each(|action| op.extend(field(2, action.as_bytes())));
            identifier.extend(field(3, &op));
        }
        let mut bytes = vec![2, 1, 3];
        bytes.extend(b"lnd");
        let length = identifier.len();
        assert!(length < 1 << 14);
        bytes.extend([2, u8::try_from(length & 0x7f | 0x80).unwrap(), u8::try_from(length >> 7).unwrap()]);
        bytes.extend(identifier);
        bytes.extend([0, 0, 6, 32]);
        bytes.extend([0; 32]);
        bytes
    }

    #[test]
    fn what_it_allows_is_read() {
        let none = Permissions { create: false, lookup: false, send: false, track: false };
        let invoice = macaroon(&[("invoices", &["read", "write"]), ("address", &["read", "write"])]);
        assert_eq!(read(&invoice), Some(Permissions { create: true, lookup: true, ..none }));
        let calls =
            ["/lnrpc.Lightning/AddInvoice", "/routerrpc.Router/SendPaymentV2", "/routerrpc.Router/TrackPaymentV2"];
        let single = read(&macaroon(&[("uri", &calls)])).unwrap();
        assert_eq!(single, Permissions { create: true, lookup: false, send: true, track: true });
        assert!(single.pay());
        let read_only = read(&macaroon(&[("invoices", &["read"]), ("offchain", &["read"])])).unwrap();
        assert_eq!(read_only, Permissions { lookup: true, track: true, ..none });
        assert!(!read_only.pay());
    }

    #[test]
    fn anything_else_is_no_macaroon() {
        assert_eq!(read(b""), None);
        assert_eq!(read(b"-----BEGIN CERTIFICATE-----"), None);
        let whole = macaroon(&[("invoices", &["read"])]);
        assert_eq!(read(&whole[..20]), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>) {
            let _ = read(&[&[2][..], &bytes].concat());
        }
    }
}
