/* Tensors of a Hugging Face folder that belong together become one: X.weight with the blocks that its codes and scales
 * make (models/relayout.h).  What goes with them is marked as used; what does not fit is refused by its name. */
#ifndef MODELS_SCALED_TENSORS_H
#define MODELS_SCALED_TENSORS_H

#include "models/weight_scheme.h"

CHECKED status scaled_tensors_join(struct model_source *source, const struct weight_scheme *scheme,
                                   struct diagnostic *diagnostic);

#endif
