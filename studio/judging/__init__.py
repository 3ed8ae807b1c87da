"""What people said, and what it says.

Imports runs.

Read in this order:

    votes               answers about two pictures, blind: `votes.jsonl`
    likeness            how far two pictures are apart for who looks at them
    pairing             which two pictures a person is asked about next
    assignments         questions shared out among a team: `assignment.json`
    ranking             who is preferred, by how much; agreement
    preference_niches   votes as niches of another run
    annotations         stars, tags and notes: `marks.jsonl`
    shortlist           the models that were starred
    steering            what people said as factors of how often each mates in a run that goes on
    steering_words      what a run was and is steered by, in words
    reviews             what clients said of the shortlist: `reviews.jsonl`
    pinned_prompts      the prompts that a team looks at: `pinned.json`
"""
