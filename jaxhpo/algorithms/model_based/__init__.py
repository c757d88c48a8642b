"""Search by a model of the scores other than a Gaussian process: TPE, and the bandits UCB and Thompson sampling."""
