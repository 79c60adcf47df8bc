//! Listening sockets and the tasks behind them.
