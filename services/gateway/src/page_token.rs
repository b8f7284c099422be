//! Page tokens: what a client carries from one page to the next.
//!
//! A token holds the user, the scene, the time it expires and the items already served, and is
//! signed, so that the gateway keeps no session state. Layout before base64url: version byte;
//! varints of user, expiry (Unix ms) and scene length; the scene; varints of the number of items
//! and of the differences between the ascending ids; the first 16 bytes of HMAC-SHA256 over all
//! of it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use tributary_domain::{ItemId, Timestamp, UserId};

mod varint;

use varint::Reader;

/// Most items that a token remembers. A list ends there: without the memory of what was served,
/// a further page could repeat an item.
pub const MAXIMUM_SERVED: usize = 5_000;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
/// Above the longest token: 5,000 ids of ten bytes each, the head, a scene of 100 bytes.
const MAXIMUM_BYTES: usize = 72_000;

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("is not a page token")]
    Malformed,
    #[error("was made by another version ({0})")]
    Version(u8),
    #[error("was changed, or signed with another key")]
    Signature,
    #[error("has expired")]
    Expired,
    #[error("belongs to another user")]
    OtherUser,
    #[error("belongs to another scene")]
    OtherScene,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub user: UserId,
    pub scene: String,
    /// Ascending, no repeats, at most [`MAXIMUM_SERVED`].
    pub served: Vec<ItemId>,
}

/// Makes and opens tokens.
pub struct Tokens {
    key: Hmac<Sha256>,
    lifetime: Duration,
}

impl Tokens {
    /// Tokens signed with `secret`: every gateway with the same secret opens them.
    pub fn with_secret(secret: &[u8], lifetime: Duration) -> Self {
        let key = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Self { key, lifetime }
    }

    /// Tokens that only this process opens.
    pub fn with_random_key(lifetime: Duration) -> Self {
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        Self::with_secret(&key, lifetime)
    }

    /// The token of a page, good for the configured time from `now`.
    pub fn issue(&self, page: &Page, now: Timestamp) -> String {
        let lifetime = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        let expiry = now.0.saturating_add(lifetime).max(0).unsigned_abs();
        let mut bytes = encode(page, expiry);
        let tag = self.key.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The items served before, ascending. Refuses a token that is broken, foreign, expired, or
    /// of another user or scene.
    pub fn open(
        &self,
        token: &str,
        user: UserId,
        scene: &str,
        now: Timestamp,
    ) -> Result<Vec<ItemId>, TokenError> {
        let bytes = self.verified(token)?;
        let (page, expiry) = decode(&bytes).ok_or(TokenError::Malformed)?;
        if expiry <= now.0.max(0).unsigned_abs() {
            return Err(TokenError::Expired);
        }
        if page.user != user {
            return Err(TokenError::OtherUser);
        }
        if page.scene != scene {
            return Err(TokenError::OtherScene);
        }
        Ok(page.served)
    }

    /// The signed bytes without the signature.
    fn verified(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        if token.len() > MAXIMUM_BYTES {
            return Err(TokenError::Malformed);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Malformed)?;
        match bytes.first() {
            None => return Err(TokenError::Malformed),
            Some(&VERSION) => {}
            Some(&other) => return Err(TokenError::Version(other)),
        }
        let length = bytes.len().checked_sub(TAG_BYTES).ok_or(TokenError::Malformed)?;
        let tag = bytes.split_off(length);
        let mac = self.key.clone().chain_update(&bytes);
        mac.verify_truncated_left(&tag).map_err(|_| TokenError::Signature)?;
        Ok(bytes)
    }
}

fn encode(page: &Page, expiry: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + page.scene.len() + page.served.len() * 3);
    bytes.push(VERSION);
    varint::write(&mut bytes, page.user.0);
    varint::write(&mut bytes, expiry);
    varint::write_length(&mut bytes, page.scene.len());
    bytes.extend_from_slice(page.scene.as_bytes());
    varint::write_length(&mut bytes, page.served.len());
    let mut last = 0;
    for item in &page.served {
        varint::write(&mut bytes, item.0 - last);
        last = item.0;
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Page, u64)> {
    let mut reader = Reader::new(bytes.get(1..)?);
    let user = UserId(reader.number()?);
    let expiry = reader.number()?;
    let length = reader.length()?;
    let scene = String::from_utf8(reader.bytes(length)?.to_vec()).ok()?;
    let count = reader.length().filter(|count| *count <= MAXIMUM_SERVED)?;
    let mut served = Vec::with_capacity(count);
    let mut last = 0_u64;
    for _ in 0..count {
        last = last.checked_add(reader.number()?)?;
        served.push(ItemId(last));
    }
    reader.is_at_end().then_some((Page { user, scene, served }, expiry))
}

#[cfg(test)]
mod tests;
