//! How does a credential's text fit in little room? Compressed against the text of a typical one: names of fields and
//! common values are in every text, and so are not kept ten thousand times.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// What most texts consist of. Anything may stand here, as nothing of it outlives the process.
const TYPICAL: &[u8] = br#"{"metadata":{"name":"","namespace":"","uid":"","resourceVersion":"","generation":1,
"annotations":{"reconcile.fluxcd.io/requestedAt":"","connector-operator.io/reconcile-at":""},"deletionTimestamp":"",
"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"description":"","provider":{"inflow":{"companyID":"00000000-0000-4000-8000-000000000000"}},
"provider":{"flowlu":{"account":""}},"provider":{"zenflow":{"scopes":["read:orders","write:orders"]}},"provider":{"flow":{}},
"provider":{"aventri":{"accountId":"","region":"NorthAmerica"}},"keySecretRef":{"name":"","key":"api-key","expirationKey":""},
"expiresAt":"2027-01-01T00:00:00Z","warnBefore":"720h","maxAge":"2160h","validation":{"mode":"Provider","interval":"1h"},
"publishPolicy":"WhenVerified","rejectionPolicy":"Keep","suspend":false,
"outputs":[{"secretName":"","format":"Env","envPrefix":""},{"secretName":"","format":"Template","template":{"":""}}]},
"status":{"observedGeneration":1,"provider":"Aventri","provider":"Flowlu","provider":"ZenFlow","provider":"FLOW","provider":"inFlow",
"source":{"secretName":"","uid":"","resourceVersion":""},"validation":{"lastCheckTime":"2026-01-01T00:00:00Z",
"lastSuccessTime":"2026-01-01T00:00:00Z","nextCheckTime":"2026-01-01T00:00:00Z","lastScopeAuditTime":"2026-01-01T00:00:00Z",
"consecutiveFailures":1,"outageStartTime":"","firstRejectionTime":"","rejections":1,"subject":""},
"expiration":{"time":"2027-01-01T00:00:00Z","lastNoticeTime":""},"key":{"firstSeenTime":"2026-01-01T00:00:00Z",
"publishedTime":"2026-01-01T00:00:00Z"},"token":{"expirationTime":"2026-01-01T00:00:00Z","renewalTime":"2026-01-01T00:00:00Z"},
"binding":{"name":""},"outputs":[{"secretName":"","format":"Headers","resourceVersion":""}],
"lastHandledReconcileAt":"","lastHandledRequest":""}}"#;

/// In little room.
pub(super) fn pack(text: &[u8]) -> Box<[u8]> {
    compress_prepend_size_with_dict(text, TYPICAL).into()
}

/// As it was; `None` for what [`pack`] did not make.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    decompress_size_prepended_with_dict(packed, TYPICAL).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REAL: &str = r#"{"metadata":{"name":"erp-orders","namespace":"warehouse","uid":"5a1f6a3e-0a0f-4f0a-9a53-2f2d3b6c1d11","resourceVersion":"1048573","generation":2,"creationTimestamp":"2026-11-25T20:11:09Z"},"spec":{"provider":{"aventri":{"accountID":"10342","region":"Europe"}},"keySecretRef":{"name":"erp-key"},"validation":{"interval":"30m"}},"status":{"observedGeneration":2,"provider":"Aventri","source":{"secretName":"erp-key","uid":"0d2c7c1e-7c57-4e55-8a38-1f3f0c4a9b77","resourceVersion":"1048210"},"validation":{"lastCheckTime":"2026-11-25T20:11:10Z","lastSuccessTime":"2026-11-25T20:11:10Z","nextCheckTime":"2026-11-25T20:38:41Z","subject":"9f1c22a07be3d514"},"key":{"firstSeenTime":"2026-11-25T20:11:10Z","publishedTime":"2026-11-25T20:11:11Z"},"token":{"expirationTime":"2026-11-25T21:11:10Z","renewalTime":"2026-11-25T20:56:10Z"},"binding":{"name":"erp-orders-auth"},"outputs":[{"secretName":"erp-orders-auth","format":"Headers","resourceVersion":"1048570"}]}}"#;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(text in ".{0,2000}") {
            prop_assert_eq!(unpack(&pack(text.as_bytes())), Some(text.into_bytes()));
        }
    }

    #[test]
    fn a_real_credential_takes_less_than_half_the_room() {
        let packed = pack(REAL.as_bytes());
        assert!(packed.len() * 2 < REAL.len(), "{} of {}", packed.len(), REAL.len());
        assert_eq!(unpack(&packed).as_deref(), Some(REAL.as_bytes()));
    }

    #[test]
    fn what_was_not_packed_is_refused() {
        assert_eq!((unpack(b""), unpack(b"{}"), unpack(b"\x09\0\0\0\xff")), (None, None, None));
    }
}
