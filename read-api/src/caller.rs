//! Who asks, and whose data they may see. Every handler takes a [`Caller`]; there is no way to the store without one.

use crate::limit::Turn;
use crate::problem::Problem;
use crate::router::App;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use domain::FieldClass;
use runtime::auth::{self, AuthError, Claims, EVERY_TENANT};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Runs the deployment: sees how its parts are doing, and everything of the tenants that the token opens.
pub const ADMIN: &str = "Admin";
/// Decides on applications: sees who applied.
pub const OFFICER: &str = "Officer";
/// Reviews models and decisions: sees facts and reasons, not who applied.
pub const REVIEWER: &str = "Reviewer";

/// Looks after the deployment: sees what a reviewer sees, and may do nothing anywhere.
pub const AUDITOR: &str = "Auditor";

/// A verified token with at least one of our roles. Its request is being answered while it lives.
#[derive(Debug, Clone)]
pub struct Caller {
    claims: Claims,
    _turn: Option<Arc<Turn>>,
}

impl Caller {
    /// The tenant that the answer is about: the token's own, or for a token that opens several the one asked for.
    ///
    /// # Errors
    /// 403 for a tenant that the token does not open, 400 when one must be chosen.
    pub fn tenant(&self, asked: Option<&str>) -> Result<String, Problem> {
        let tenant = match asked {
            Some(tenant) if self.claims.opens(tenant) && tenant != EVERY_TENANT => tenant,
            Some(_) => return Err(Problem::forbidden("the token does not open that tenant")),
            None if self.claims.tenant == EVERY_TENANT => {
                return Err(Problem::bad_request("the token opens several tenants: choose one by ?tenant="));
            }
            None => &self.claims.tenant,
        };
        let named = domain::Tenant::new(tenant).map_err(|error| Problem::bad_request(error.to_string()))?;
        Ok(named.as_str().to_owned())
    }

    /// Whether the caller runs the deployment, and may see how its parts are doing.
    pub fn is_admin(&self) -> bool {
        self.claims.has_role(ADMIN)
    }

    /// The role by which the caller may see who applied.
    ///
    /// # Errors
    /// 403 for a reviewer or an auditor.
    pub fn may_see_identities(&self) -> Result<&'static str, Problem> {
        let role = [ADMIN, OFFICER].into_iter().find(|role| self.claims.has_role(role));
        role.ok_or_else(|| Problem::forbidden("identities are for Officer and Admin"))
    }

    /// The strictest class of free members that a detail shows the caller: those who decide see restricted ones too.
    pub fn most(&self) -> FieldClass {
        if self.may_see_identities().is_ok() { FieldClass::Restricted } else { FieldClass::Plain }
    }

    /// Who it is, for the log.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// What the token says, for the record.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = auth::bearer(&parts.headers).ok_or_else(Problem::unauthorized)?;
        let claims = app.verifier.verify(token).map_err(|error| match error {
            AuthError::NotReady => Problem::not_ready(),
            _ => Problem::unauthorized(),
        })?;
        let known = [ADMIN, OFFICER, REVIEWER, AUDITOR].iter().any(|role| claims.has_role(role));
        let holder = format!("{}|{}", claims.tenant, claims.sub);
        app.admit(&holder).map_err(Problem::too_many_requests)?;
        if !known {
            return Err(Problem::forbidden("the token has none of the roles Admin, Officer, Reviewer, Auditor"));
        }
        let turn = app.turns.take(&claims.tenant).ok_or_else(Problem::tenant_busy)?;
        Ok(Self { claims, _turn: Some(Arc::new(turn)) })
    }
}

/// Query parameters; a misfit or unknown one is a problem that names it.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(params)| Self(params)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// An application's id from the path; anything that cannot be one is not found.
pub struct ApplicationId(pub String);

impl FromRequestParts<Arc<App>> for ApplicationId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        let id = domain::ApplicationId::new(&text).map_err(|_| Problem::not_found())?;
        Ok(Self(id.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(tenant: &str, roles: &[&str]) -> Caller {
        let claims = Claims {
            sub: "ana".to_owned(),
            iss: String::new(),
            aud: String::new(),
            exp: 0,
            nbf: 0,
            iat: 0,
            jti: String::new(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            tenant: tenant.to_owned(),
        };
        Caller { claims, _turn: None }
    }

    #[test]
    fn a_token_opens_its_own_tenant_and_no_other() {
        let cases = [
            ("a", None, Ok("a")),
            ("a", Some("a"), Ok("a")),
            ("a", Some("b"), Err(403)),
            ("a", Some("*"), Err(403)),
            ("*", None, Err(400)),
            ("*", Some("b"), Ok("b")),
            ("*", Some("*"), Err(403)),
            ("*", Some("b\0"), Err(400)),
            ("", None, Err(400)),
        ];
        for (own, asked, expected) in cases {
            let tenant = caller(own, &[ADMIN]).tenant(asked).map_err(|problem| problem.status);
            assert_eq!(tenant.as_deref().map_err(|status| *status), expected, "{own:?} asks for {asked:?}");
        }
    }

    #[test]
    fn identities_are_not_for_reviewers_and_auditors() {
        let cases: [(&[&str], Option<&str>); 5] = [
            (&[ADMIN], Some(ADMIN)),
            (&[OFFICER, REVIEWER], Some(OFFICER)),
            (&[REVIEWER], None),
            (&[AUDITOR, REVIEWER], None),
            (&[], None),
        ];
        for (roles, expected) in cases {
            assert_eq!(caller("a", roles).may_see_identities().ok(), expected, "{roles:?}");
            assert_eq!(caller("a", roles).most() == FieldClass::Restricted, expected.is_some(), "{roles:?}");
        }
    }
}
