//! The kinds of canaries, each with what is true of it.

mod faulty;
mod healthy;
mod parts;
mod unclear;
mod unseen;

use crate::canary::World;

/// What ought to become of a canary, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It fulfils the protocol's pass criteria, or did again within the grace: no rollback.
    Healthy,
    /// It is beyond a threshold, with enough requests to know: a rollback.
    Faulty,
    /// Good reasons speak for both; this one is the reason.
    Unclear(&'static str),
}

/// Whether people have to be paged because nothing can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Never,
    /// By an alert of this name.
    By(&'static str),
    /// Not looked at.
    Any,
}

/// One kind.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) truth: Truth,
    pub(crate) page: Page,
    /// From when on it is faulty, in minutes.
    pub(crate) since_minute: f64,
    pub(crate) world: fn() -> World,
}

/// A kind that is to end without a rollback.
const fn healthy(name: &'static str, world: fn() -> World) -> Kind {
    Kind { name, truth: Truth::Healthy, page: Page::Never, since_minute: 0.0, world }
}

/// A kind that is to be rolled back.
const fn faulty(name: &'static str, world: fn() -> World) -> Kind {
    Kind { name, truth: Truth::Faulty, page: Page::Any, since_minute: 0.0, world }
}

impl Kind {
    const fn since(self, minute: f64) -> Self {
        Self { since_minute: minute, ..self }
    }

    const fn paged(self, page: Page) -> Self {
        Self { page, ..self }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Kind> {
    [healthy::kinds(), faulty::kinds(), unclear::kinds(), unseen::kinds()].into_iter().flatten().collect()
}
