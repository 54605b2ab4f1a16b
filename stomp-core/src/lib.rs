//! stomp-core
