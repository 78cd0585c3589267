//! Which of ZenFlow's scopes are asked for, and what do the answers prove together?

use super::{Access, Depth, Doubt, Proof, Rejection, Scope, ScopePreset, Verdict, ZenFlow};

/// The parameters are assumed.
const PRODUCTS: &str = "/products?page=1&limit=1";
/// The scope that it needs is assumed.
const WEBHOOKS: &str = "/webhooks";
/// That a write scope implies the right to read is assumed.
const WRITE_IMPLIES_READ: bool = true;

/// The scopes that can be proved, in the order they are asked for.
pub(super) const READ_SCOPES: [Scope; 4] =
    [Scope::ReadOrders, Scope::ReadStock, Scope::ReadProducts, Scope::ReadWebhooks];

impl ScopePreset {
    /// What the preset stands for.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::ReadOnly => &[Scope::ReadOrders, Scope::ReadProducts, Scope::ReadStock],
            Self::ERPSync => {
                &[Scope::ReadOrders, Scope::ReadProducts, Scope::ReadStock, Scope::WriteOrders, Scope::WriteStock]
            }
            Self::StockSync => &[Scope::ReadProducts, Scope::ReadStock, Scope::WriteStock],
            Self::FullAccess => &[Scope::Admin],
        }
    }
}

impl Scope {
    /// The read scope of the same objects; `admin` has none.
    pub(super) const fn reading(self) -> Option<Self> {
        match self {
            Self::ReadOrders | Self::WriteOrders => Some(Self::ReadOrders),
            Self::ReadStock | Self::WriteStock => Some(Self::ReadStock),
            Self::ReadProducts | Self::WriteProducts => Some(Self::ReadProducts),
            Self::ReadWebhooks | Self::WriteWebhooks => Some(Self::ReadWebhooks),
            Self::Admin => None,
        }
    }

    /// A `GET` that needs this read scope, or the read scope of the same objects.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::ReadOrders | Self::WriteOrders | Self::Admin => "/orders?page=1&limit=1",
            Self::ReadStock | Self::WriteStock => "/stock?page=1&limit=1",
            Self::ReadProducts | Self::WriteProducts => PRODUCTS,
            Self::ReadWebhooks | Self::WriteWebhooks => WEBHOOKS,
        }
    }
}

/// Why a scope's path is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The scope is declared.
    Declared(Scope),
    /// It only shows whether the key is genuine.
    Genuine(Scope),
    /// The scope is not declared: does the key have it?
    Undeclared(Scope),
}

impl Question {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Declared(scope) | Self::Genuine(scope) | Self::Undeclared(scope) => scope.path(),
        }
    }
}

/// One reply, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Proved,
    /// The key is genuine and lacks the scope.
    ScopeMissing,
    /// 400 or 404: this installation of ZenFlow has no such call.
    NoSuchCall,
    /// Nothing more is to be asked.
    Settled(End),
}

/// What ends a conversation early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Rejected(Rejection),
    ForbiddenAddress,
    Doubtful,
}

impl From<End> for Verdict {
    fn from(end: End) -> Self {
        match end {
            End::Rejected(rejection) => Self::Rejected(rejection),
            End::ForbiddenAddress => Self::Accepted(Proof::of(Access::IpNotAllowed)),
            End::Doubtful => Self::Inconclusive(Doubt::Unexpected),
        }
    }
}

impl ZenFlow {
    /// The declared scopes, presets resolved, without repetition.
    #[must_use]
    pub fn declared(&self) -> Vec<Scope> {
        let listed = match (self.scope_preset, &self.scopes) {
            (Some(preset), _) => preset.scopes(),
            (None, Some(scopes)) => scopes,
            (None, None) => &[],
        };
        let mut declared: Vec<Scope> = vec![];
        for scope in listed {
            if !declared.contains(scope) {
                declared.push(*scope);
            }
        }
        declared
    }

    /// What is asked, in order.
    pub(super) fn course(&self, depth: Depth) -> Vec<Question> {
        let declared = self.declared();
        let admin = declared.contains(&Scope::Admin);
        let is_read = |scope: &Scope| READ_SCOPES.contains(scope);
        let mut course: Vec<Question> = if admin {
            READ_SCOPES.into_iter().map(Question::Declared).collect()
        } else {
            declared.iter().copied().filter(is_read).map(Question::Declared).collect()
        };
        if course.is_empty() {
            let first = declared.first().and_then(|scope| scope.reading()).unwrap_or(Scope::ReadOrders);
            course.push(Question::Genuine(first));
        }
        if depth == Depth::LeastPrivilege && !admin && !declared.is_empty() {
            let implied = |read: Scope| {
                declared.iter().any(|scope| *scope == read || (WRITE_IMPLIES_READ && scope.reading() == Some(read)))
            };
            course.extend(READ_SCOPES.into_iter().filter(|read| !implied(*read)).map(Question::Undeclared));
        }
        course
    }

    pub(super) fn conclude(&self, course: &[Question], answers: &[Answer], depth: Depth) -> Verdict {
        let declared = self.declared();
        let audited = depth == Depth::LeastPrivilege && !declared.is_empty() && !declared.contains(&Scope::Admin);
        let mut proof = Proof::of(Access::NotVerifiable);
        proof.unverifiable = declared.iter().copied().filter(|scope| !READ_SCOPES.contains(scope)).collect();
        let (mut missing, mut undeclared) = (vec![], vec![]);
        for (question, answer) in course.iter().zip(answers) {
            match (question, answer) {
                (Question::Declared(_), Answer::Proved) => proof.access = Access::Verified,
                (Question::Declared(scope), Answer::ScopeMissing) => missing.push(*scope),
                (Question::Declared(scope), _) => proof.unverifiable.push(*scope),
                (Question::Undeclared(scope), Answer::Proved) => undeclared.push(*scope),
                (Question::Undeclared(_) | Question::Genuine(_), _) => {}
            }
        }
        if !missing.is_empty() {
            proof.access = Access::MissingScopes(missing);
        }
        proof.undeclared = audited.then_some(undeclared);
        Verdict::Accepted(proof)
    }
}
