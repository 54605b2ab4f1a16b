//! Payloads that only the browser can read: RFC 8291 over RFC 8188 (`aes128gcm`).

use aes_gcm::{Aes128Gcm, KeyInit as _, aead::Aead as _};
use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hkdf::Hkdf;
use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToEncodedPoint as _};
use sha2::Sha256;

use crate::notify::gateway::Keys;

/// The most that a push service has to take (RFC 8291, 4).
const SEALED_MAX: usize = 4096;
/// Salt, record size, length of the key's id, the key.
const HEAD: usize = 16 + 4 + 1 + 65;
/// What is left for the payload: the seal takes 16 bytes, the end of the record one.
pub(crate) const PAYLOAD_MAX: usize = SEALED_MAX - HEAD - 16 - 1;

/// Browsers give their keys without padding, programs sometimes with it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A browser's keys, read.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    key: PublicKey,
    auth: [u8; 16],
}

impl Recipient {
    /// `None` for keys that no browser gives: not a point of P-256, not 16 bytes.
    pub(crate) fn parse(keys: &Keys) -> Option<Self> {
        let point = BASE64.decode(&keys.p256dh).ok().filter(|point| point.len() == 65)?;
        let auth = BASE64.decode(&keys.auth).ok()?;
        Some(Self {
            key: PublicKey::from_sec1_bytes(&point).ok()?,
            auth: auth.as_slice().try_into().ok()?,
        })
    }

    /// The body of the request; `None` if `payload` is longer than [`PAYLOAD_MAX`].
    pub(crate) fn seal(&self, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal_with(payload, &fresh_secret(), &rand::random())
    }

    fn seal_with(&self, payload: &[u8], own: &SecretKey, salt: &[u8; 16]) -> Option<Vec<u8>> {
        if payload.len() > PAYLOAD_MAX {
            return None;
        }
        let (key, nonce) = self.content_key(own, salt);
        let mut record = payload.to_vec();
        record.push(2); // the last record, and no padding
        let sealed = Aes128Gcm::new(&key.into()).encrypt(&nonce.into(), record.as_slice()).ok()?;
        let mut body = Vec::with_capacity(HEAD + sealed.len());
        body.extend_from_slice(salt);
        body.extend_from_slice(&(SEALED_MAX as u32).to_be_bytes());
        body.push(65);
        body.extend_from_slice(&point(&own.public_key()));
        body.extend_from_slice(&sealed);
        Some(body)
    }

    /// RFC 8291, 3.4, in its own words.
    fn content_key(&self, own: &SecretKey, salt: &[u8; 16]) -> ([u8; 16], [u8; 12]) {
        let ecdh_secret = diffie_hellman(own.to_nonzero_scalar(), self.key.as_affine());
        let key_info = [&b"WebPush: info\0"[..], &point(&self.key), &point(&own.public_key())];
        let ikm: [u8; 32] = derive(&self.auth, ecdh_secret.raw_secret_bytes(), &key_info);
        let key = derive(salt, &ikm, &[b"Content-Encoding: aes128gcm\0"]);
        let nonce = derive(salt, &ikm, &[b"Content-Encoding: nonce\0"]);
        (key, nonce)
    }
}

fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand_multi_info(info, &mut out)
        .expect("HKDF gives up to 8,160 bytes, and none of ours is longer than 32");
    out
}

/// A key pair for one message, or for all of a server's signatures.
pub(super) fn fresh_secret() -> SecretKey {
    loop {
        // All but one in 2^32 are scalars of the curve.
        if let Ok(secret) = SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
            return secret;
        }
    }
}

/// The uncompressed point, as all of this writes keys.
pub(super) fn point(key: &PublicKey) -> Vec<u8> {
    key.to_encoded_point(false).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn recipient() -> Recipient {
        let p256dh = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let keys = Keys { p256dh: p256dh.into(), auth: "BTBZMqHH6r4Tts7J_aSIgg".into() };
        Recipient::parse(&keys).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8291_is_sealed_byte_for_byte() {
        let own =
            SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let plain = b"When I grow up, I want to be a watermelon";
        let sealed = recipient().seal_with(plain, &own, &salt).unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6\
            e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV\
            WGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(sealed), expected.replace(char::is_whitespace, ""));
    }

    #[test]
    fn a_payload_fits_into_what_every_service_takes_or_is_refused() {
        assert_eq!(PAYLOAD_MAX, 3993);
        assert_eq!(recipient().seal(&[b'x'; PAYLOAD_MAX]).unwrap().len(), SEALED_MAX);
        assert!(recipient().seal(&[b'x'; PAYLOAD_MAX + 1]).is_none());
    }

    #[test]
    fn keys_that_no_browser_gives_are_no_keys() {
        let good = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let off_curve = good.replace("iw4", "iw5");
        let auth = "BTBZMqHH6r4Tts7J_aSIgg";
        for (p256dh, auth) in [
            ("", auth),
            (good, ""),
            (good, "AAAA"),
            (&off_curve, auth),
            (&good[..86], auth),
            ("!!", auth),
        ] {
            let keys = Keys { p256dh: p256dh.into(), auth: auth.into() };
            assert!(Recipient::parse(&keys).is_none(), "{p256dh} {auth}");
        }
        let padded = Keys { p256dh: format!("{good}="), auth: format!("{auth}==") };
        assert!(Recipient::parse(&padded).is_some());
    }
}
