"""What agents may use, whom they ask and what they are answered by, from one checked file."""
