//! What a random word cannot show.
