//! Functions as handlers: whatever takes extractors.

use std::future::Future;

use super::{FromRequest, Request};
use crate::problem::Problem;

/// An async function of up to six arguments, each a [`FromRequest`].
///
/// `Args` is the list of its arguments, and only there to tell functions apart.
pub trait HandlerFn<S, Args>: Send + Sync + 'static {
    /// What a call runs as.
    type Future: Future + Send + 'static;

    /// Takes the arguments from the request and calls it.
    ///
    /// # Errors
    /// The problem of the first argument that could not be had.
    fn call(&self, request: &Request, state: &S) -> Result<Self::Future, Problem>;
}

macro_rules! functions_of {
    ($($argument:ident)*) => {
        impl<F, Fut, S, $($argument),*> HandlerFn<S, ($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            $($argument: FromRequest<S>,)*
        {
            type Future = Fut;

            fn call(&self, _request: &Request, _state: &S) -> Result<Fut, Problem> {
                Ok(self($($argument::from_request(_request, _state)?),*))
            }
        }
    };
}

functions_of!();
functions_of!(A1);
functions_of!(A1 A2);
functions_of!(A1 A2 A3);
functions_of!(A1 A2 A3 A4);
functions_of!(A1 A2 A3 A4 A5);
functions_of!(A1 A2 A3 A4 A5 A6);
