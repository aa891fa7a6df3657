"""Which modality does the model lean on, and for whom?"""

from dashboard.components import context_bar, no_cohort, page_title

page_title("Which modality does the model lean on, and for whom?")
view = context_bar()
if view is None:
    no_cohort()
