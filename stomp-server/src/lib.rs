//! stomp-server
