//! Who asks, and whose data they may see. Every handler takes a [`Caller`]; there is no way to the store without one.

use crate::problem::Problem;
use crate::router::App;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use runtime::auth::{Claims, EVERY_TENANT};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Runs the deployment: sees everything of the tenants that the token opens.
pub const ADMIN: &str = "Admin";
/// Decides on applications: sees who applied.
pub const OFFICER: &str = "Officer";
/// Reviews models and decisions: sees facts and reasons, not who applied.
pub const REVIEWER: &str = "Reviewer";

/// A verified token with at least one of our roles.
#[derive(Debug, Clone)]
pub struct Caller {
    claims: Claims,
}

impl Caller {
    /// The tenant that the answer is about: the token's own, or for a token that opens several the one asked for.
    ///
    /// # Errors
    /// 403 for a tenant that the token does not open, 400 when one must be chosen.
    pub fn tenant(&self, asked: Option<&str>) -> Result<String, Problem> {
        match asked {
            Some(tenant) if self.claims.opens(tenant) && tenant != EVERY_TENANT => Ok(tenant.to_owned()),
            Some(_) => Err(Problem::forbidden("the token does not open that tenant")),
            None if self.claims.tenant == EVERY_TENANT => {
                Err(Problem::bad_request("the token opens several tenants: choose one by ?tenant="))
            }
            None => Ok(self.claims.tenant.clone()),
        }
    }

    /// The role by which the caller may see who applied.
    ///
    /// # Errors
    /// 403 for a reviewer.
    pub fn may_see_identities(&self) -> Result<&'static str, Problem> {
        let role = [ADMIN, OFFICER].into_iter().find(|role| self.claims.has_role(role));
        role.ok_or_else(|| Problem::forbidden("identities are for Officer and Admin"))
    }

    /// Who it is, for the log.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = token.ok_or_else(Problem::unauthorized)?;
        let claims = app.verifier.verify(token.trim()).map_err(|_| Problem::unauthorized())?;
        let known = [ADMIN, OFFICER, REVIEWER].iter().any(|role| claims.has_role(role));
        if !known {
            return Err(Problem::forbidden("the token has none of the roles Admin, Officer, Reviewer"));
        }
        Ok(Self { claims })
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
