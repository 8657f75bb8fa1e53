"""Operations of SageMaker's model registry over the one store: a group is a model, a package one of
its versions."""
