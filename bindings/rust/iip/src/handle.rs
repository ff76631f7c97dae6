//! Handles: names of objects of a loop. They are numbers: copying one shares nothing, and one of an object that is gone
//! gives [`Error::STALE`](crate::Error::STALE).

macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The number by which the C interface knows it.
            pub fn raw(self) -> u64 {
                self.0
            }

            /// From such a number. A wrong one gives `STALE` when it is used, nothing worse.
            pub fn from_raw(raw: u64) -> Self {
                $name(raw)
            }

        }
    )*};
}

handle! {
    /// A TCP connection.
    Conn,
    /// A TCP listener.
    Listener,
    /// A UDP endpoint.
    Udp,
    /// A timer.
    Timer,
}
