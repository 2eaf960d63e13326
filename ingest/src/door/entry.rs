//! Who sends a request, and what it takes of the door's limits: known before anything of a body is read, so that each tenant takes
//! of its own share.

use super::limits::{Over, Place};
use super::problem::Problem;
use super::state::{Door, SENDER_ROLES};
use crate::rules::TenantRule;
use axum::http::{HeaderMap, StatusCode};
use runtime::auth::{self, AuthError, Claims, EVERY_TENANT};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// Who sends a request, and the place that it has.
pub(super) struct Caller {
    pub(super) tenant: Arc<TenantRule>,
    /// What the token says; none where the door asks for none.
    pub(super) claims: Option<Claims>,
    pub(super) place: Place,
}

impl Door {
    /// Whose request this is, with a place of that tenant's share.
    pub(super) fn let_in(&self, headers: &HeaderMap, now: Instant) -> Result<Caller, Problem> {
        let (tenant, claims) = self.sender_of(headers)?;
        let place = self.shares.enter(tenant.tenant().as_str(), now).map_err(|over| self.over(&tenant, over))?;
        let caller = Caller { tenant, claims, place };
        let may_come = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        match may_come {
            Ok(()) => Ok(caller),
            Err(until) => Err(self.over(&caller.tenant, Over::AllRate(until))),
        }
    }

    /// What a sender hears who takes too much, counted.
    pub(super) fn over(&self, tenant: &TenantRule, over: Over) -> Problem {
        self.metrics.limited(tenant.tenant().as_str(), over.word());
        let too_many = |title| Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title);
        let busy = |title| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
        match over {
            Over::Rate(until) | Over::AllRate(until) => {
                let retry_after_s = u32::try_from(until.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Problem { retry_after_s, ..too_many("Requests come faster than the limit") }
            }
            Over::TenantPlaces => too_many("The tenant has too many requests under way"),
            Over::TenantBytes => too_many("The tenant's requests under way are too large together"),
            Over::Places => busy("Too many requests are under way"),
            Over::Bytes => busy("The requests under way are too large together"),
        }
    }

    /// Who may send by these headers: the token's tenant, or the open one where no token is asked for.
    fn sender_of(&self, headers: &HeaderMap) -> Result<(Arc<TenantRule>, Option<Claims>), Problem> {
        let forbidden = |title| Problem::new(StatusCode::FORBIDDEN, "forbidden", title);
        let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is required");
        let Some(verifier) = &self.verifier else {
            return Ok((self.open_tenant.clone().ok_or_else(unauthorized)?, None));
        };
        let claims = verifier.verify(auth::bearer(headers).ok_or_else(unauthorized)?).map_err(|error| match error {
            AuthError::NotReady => {
                let title = "Which tokens were revoked is not known yet; send it again";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
            }
            _ => unauthorized(),
        })?;
        if !SENDER_ROLES.iter().any(|role| claims.has_role(role)) {
            return Err(forbidden("The token does not open this door"));
        }
        if claims.tenant == EVERY_TENANT {
            // Whose share it takes must be known before a body is read, and nobody is guessed.
            return Err(forbidden("The token of a sender names its tenant"));
        }
        let tenant = self.tenants.named(&claims.tenant).cloned();
        Ok((tenant.ok_or_else(|| forbidden("The token does not open this door"))?, Some(claims)))
    }
}
