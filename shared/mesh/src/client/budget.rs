use std::sync::atomic::{AtomicU32, Ordering};

const CAPACITY: u32 = 1_000;
const RETRY: u32 = 10;
const DEPOSIT: u32 = 1;

/// Bounds retries to a tenth of the calls that succeed, with 100 in reserve, so that an upstream
/// in trouble does not get twice the load (as gRPC's retry throttling, proposal A6).
pub(super) struct Budget(AtomicU32);

impl Budget {
    pub(super) fn full() -> Self {
        Self(AtomicU32::new(CAPACITY))
    }

    /// A call succeeded.
    pub(super) fn deposit(&self) {
        self.update(|tokens| Some((tokens + DEPOSIT).min(CAPACITY)));
    }

    /// Takes one retry; false where there is none left.
    pub(super) fn withdraw(&self) -> bool {
        self.update(|tokens| tokens.checked_sub(RETRY))
    }

    fn update(&self, next: impl FnMut(u32) -> Option<u32>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_tenth_of_the_successes() {
        let budget = Budget::full();
        let spent = (0..1_000).take_while(|_| budget.withdraw()).count();
        assert_eq!(spent, 100);
        for _ in 0..20 {
            budget.deposit();
        }
        assert!(budget.withdraw() && budget.withdraw());
        assert!(!budget.withdraw());
    }

    #[test]
    fn the_reserve_does_not_grow() {
        let budget = Budget::full();
        for _ in 0..10_000 {
            budget.deposit();
        }
        assert_eq!((0..1_000).take_while(|_| budget.withdraw()).count(), 100);
    }
}
