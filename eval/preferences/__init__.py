"""What people prefer, from their votes. Numpy in, numpy out.

Imports no other room.

Read in this order:

    bradley_terry      votes to strengths with intervals; how often a scorer agrees with people
    rater_agreement    how far people agree with each other
    preference_model   what somebody prefers, learned from features of pictures
"""
