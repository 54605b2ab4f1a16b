//! Who serves a destination, and how a program serves its own.
//!
//! | wanted | here |
//! |---|---|
//! | functions behind `/app/…` | [`Routes`]: [`Path`], [`Json`], [`Headers`], [`State`], [`Principal`](crate::auth::Principal), … |
//! | to answer, to publish | [`Emit`] as a return value, or by a [`Handle`] from anywhere |
//! | to refuse | a [`Problem`](crate::problem::Problem), or an error that becomes one |
//! | to look in on everything | [`Intercept`] |
//! | everything under `/app` in one place | [`Handler`] |

mod destination;
mod emit;
mod extract;
mod function;
mod handle;
mod handler;
mod intercept;
mod path;
mod respond;
mod routes;
mod template;

pub(crate) use self::emit::own_route;
pub use self::{
    destination::Destination,
    emit::Emit,
    extract::{Body, FromRequest, Headers, Json, Request, State},
    function::HandlerFn,
    handle::Handle,
    handler::{Answer, AppSend, AppSubscribe, Handler, NoHandlers},
    intercept::Intercept,
    path::Path,
    respond::{IntoOutcome, IntoReply, Outcome, ReceiptHeader},
    routes::Routes,
};
