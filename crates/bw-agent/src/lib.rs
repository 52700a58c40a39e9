//! One line in the program, and it can be asked where its async tasks wait.
