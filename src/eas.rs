//! Exchange ActiveSync request heads and replies.
