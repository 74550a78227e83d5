//! What git says of another machine: whether to try again.

/// What is answered by somebody who was reached and who will say the same again: another tag of that name, no such
/// repository, no right. In git's own words, of which `LC_ALL=C` makes one language, and in ssh's. What is not
/// listed here may pass: a network that is away, a server that is restarted, a hook that waits for something.
const FINAL: [&str; 12] = [
    // Found by git itself as it compares; what the remote finds is "[remote rejected]".
    "[rejected]",
    "could not read Username",
    "could not read Password",
    "Authentication failed",
    "Permission denied",
    "Host key verification failed",
    "does not appear to be a git repository",
    "returned error: 401",
    "returned error: 403",
    "returned error: 404",
    "Repository not found",
    "' not found",
];

pub(super) fn is_final(words: &str) -> bool {
    FINAL.iter().any(|known| words.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As git 2.39 and OpenSSH 9 write them.
    #[test]
    fn a_remote_that_is_away_may_come_back_and_one_that_says_no_says_it_again() {
        for (words, is_over) in [
            ("fatal: unable to access 'http://h/x.git/': Failed to connect to h port 80", false),
            ("fatal: unable to access 'https://h/x.git/': Could not resolve host: h", false),
            ("fatal: unable to access 'https://h/x.git/': The requested URL returned error: 503", false),
            ("ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote", false),
            (" ! [remote rejected] v1 -> v1 (pre-receive hook declined)", false),
            (" ! [remote rejected] v1 -> v1 (failed to update ref)", false),
            ("fatal: the remote end hung up unexpectedly", false),
            ("", false),
            (" ! [rejected]        v1 -> v1 (already exists)", true),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", true),
            ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", true),
            ("fatal: 'origin' does not appear to be a git repository", true),
            ("fatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", true),
            ("fatal: repository 'https://h/x.git/' not found", true),
        ] {
            assert_eq!(is_final(words), is_over, "{words}");
        }
    }
}
