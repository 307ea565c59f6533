//! When to say that something fails, and when that it is back: once each, however often it is tried.

/// What is to be said now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    Nothing,
    Failing,
    Back,
}

/// How the last tries went.
#[derive(Debug)]
pub(super) struct Edge {
    said_after: u32,
    back_after: u32,
    failures: u32,
    answers: u32,
    is_said: bool,
}

impl Edge {
    /// For what may fail now and then: one failure is a blip that the next try mends, and it is back after ten
    /// answers in a row, so that it is not said at every try.
    pub(super) const fn patient() -> Edge {
        Edge::after(2, 10)
    }

    /// For what is tried now and then: every change is said.
    pub(super) const fn prompt() -> Edge {
        Edge::after(1, 1)
    }

    const fn after(said_after: u32, back_after: u32) -> Edge {
        Edge {
            said_after,
            back_after,
            failures: 0,
            answers: 0,
            is_said: false,
        }
    }

    /// Failures since the last answer.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn failed(&mut self) -> Say {
        self.failures = self.failures.saturating_add(1);
        self.answers = 0;
        if self.is_said || self.failures < self.said_after {
            return Say::Nothing;
        }
        self.is_said = true;
        Say::Failing
    }

    pub(super) fn answered(&mut self) -> Say {
        self.failures = 0;
        self.answers = self.answers.saturating_add(1);
        if !self.is_said || self.answers < self.back_after {
            return Say::Nothing;
        }
        self.is_said = false;
        Say::Back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(edge: &mut Edge, tries: usize, went: fn(&mut Edge) -> Say) -> Vec<Say> {
        let all = (0..tries).map(|_| went(edge));
        all.filter(|say| *say != Say::Nothing).collect()
    }

    #[test]
    fn what_fails_is_said_once_and_what_is_back_is_said_once() {
        let mut edge = Edge::patient();
        assert_eq!(said(&mut edge, 1_000, Edge::answered), []);
        assert_eq!(said(&mut edge, 1_000, Edge::failed), [Say::Failing]);
        assert_eq!(said(&mut edge, 1_000, Edge::answered), [Say::Back]);
        assert_eq!(said(&mut edge, 1_000, Edge::failed), [Say::Failing]);
    }

    #[test]
    fn a_blip_is_not_said_and_what_flaps_is_said_once() {
        let mut edge = Edge::patient();
        for _ in 0..1_000 {
            assert_eq!(said(&mut edge, 1, Edge::failed), []);
            assert_eq!(said(&mut edge, 1, Edge::answered), []);
        }
        let mut flaps = Vec::new();
        for _ in 0..1_000 {
            flaps.extend(said(&mut edge, 3, Edge::failed));
            flaps.extend(said(&mut edge, 3, Edge::answered));
        }
        assert_eq!(flaps, [Say::Failing]);
    }
}
