use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses between attempts: doubling up to two seconds, each drawn from the upper half, so that
/// the followers of a restarted service do not all come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { ceiling: FIRST }
    }

    pub(crate) fn reset(&mut self) {
        self.ceiling = FIRST;
    }

    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.ceiling.mul_f64(rand::random_range(0.5..=1.0));
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_up_to_the_longest_and_starts_over() {
        let mut backoff = Backoff::new();
        let mut ceiling = FIRST;
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?} for {ceiling:?}");
            ceiling = (ceiling * 2).min(LONGEST);
        }
        assert_eq!(ceiling, LONGEST);
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
