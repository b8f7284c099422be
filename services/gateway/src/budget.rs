//! Shares the request's time among the stages.
//!
//! A stage gets its configured time where the request has enough; where it has not, all stages to
//! come shrink in proportion, so that a hanging early stage leaves the later ones their share. Time
//! that a stage leaves over goes to those after it. A reserve is kept for the answer itself.

use std::time::Duration;

use tributary_mesh::Deadline;

/// The part of a short deadline that the reserve may take: one fifth.
const RESERVE_PART: u32 = 5;

/// The time of one request.
#[derive(Debug)]
pub struct Budget {
    deadline: Deadline,
    reserve: Duration,
    /// Configured time of the stages that have not started.
    to_come: Duration,
}

impl Budget {
    /// `stages` is the configured time of all stages that will ask for some.
    pub fn new(deadline: Deadline, reserve: Duration, stages: Duration) -> Self {
        let reserve = reserve.min(deadline.remaining() / RESERVE_PART);
        Self { deadline, reserve, to_come: stages }
    }

    /// The deadline of a stage that starts now and is configured to take `configured` at most.
    pub fn stage(&mut self, configured: Duration) -> Deadline {
        let left = self.deadline.remaining().saturating_sub(self.reserve);
        let share = share(left, configured, self.to_come);
        self.to_come = self.to_come.saturating_sub(configured);
        self.deadline.capped(share)
    }
}

fn share(left: Duration, configured: Duration, to_come: Duration) -> Duration {
    if to_come <= left || to_come.is_zero() {
        return configured.min(left);
    }
    let part = configured.as_secs_f64() / to_come.as_secs_f64();
    left.mul_f64(part.min(1.0)).min(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn shares() {
        for (left, configured, to_come, want) in [
            (1_000, 100, 300, 100_u64),
            (300, 100, 300, 100),
            (150, 100, 300, 50),
            (30, 50, 300, 5),
            (30, 100, 100, 30),
            (0, 100, 300, 0),
            (40, 100, 0, 40),
        ] {
            let got = share(ms(left), ms(configured), ms(to_come));
            assert_eq!(got.as_millis(), u128::from(want), "{left} {configured} {to_come}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stages_that_use_all_their_time_end_before_the_deadline() {
        for total in [1, 10, 50, 200, 500, 10_000] {
            let deadline = Deadline::after(ms(total));
            let mut budget = Budget::new(deadline, ms(20), ms(300));
            for configured in [50, 100, 100, 50] {
                let stage = budget.stage(ms(configured));
                assert!(stage.remaining() <= ms(configured));
                tokio::time::advance(stage.remaining()).await;
            }
            let reserve = ms(20).min(ms(total) / RESERVE_PART);
            assert!(deadline.remaining() + ms(1) >= reserve, "{total}: {:?}", deadline.remaining());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_left_over_goes_to_later_stages() {
        let mut budget = Budget::new(Deadline::after(ms(200)), Duration::ZERO, ms(400));
        assert_eq!(budget.stage(ms(200)).remaining(), ms(100));
        assert_eq!(budget.stage(ms(200)).remaining(), ms(200));
    }
}
